"""The candidates' order follows the signals, and nothing else."""

from __future__ import annotations

import math
import random
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sightline.core.model import Candidate, DefinedName, Query, Ranked
from sightline.core.query import of_text
from sightline.core.ranking import BEST_OF_FILE, MOST_MORE, SIGNALS, WEIGHTS, Ranking, Weights


def rank(
    candidates: Sequence[Candidate],
    query: Query,
    idf: Mapping[str, float],
    *,
    limit: int,
    max_per_file: int = 1,
    weights: Weights = WEIGHTS,
) -> list[Ranked]:
    """As a search does it: only what is hopeful gets its definitions."""
    bare = [each._replace(definitions=(), start_byte=0) for each in candidates]
    ranking = Ranking(bare, query, idf, weights)
    hopeful = {each.chunk_id for each in ranking.hopeful(limit)} if limit > 0 else set()
    return ranking.entries([each for each in candidates if each.chunk_id in hopeful], limit, max_per_file)


QUERY = of_text("where are sessions persisted")
PLAIN = Candidate(chunk_id=1, file_id=1, path="src/a.py", start_byte=0, cosine=0.5, bm25=5.0, file_bm25=5.0)


def defining(name: str, kind: str = "class", **rest: Any) -> Candidate:
    definition = DefinedName(name, kind, 0)
    return PLAIN._replace(definitions=(definition._replace(**rest),))


def ranked(query: Query | str, *candidates: Candidate, **options: Any) -> list[Ranked]:
    """The ranking of candidates numbered from 100; each is a file of its own unless it says otherwise."""
    query = of_text(query) if isinstance(query, str) else query
    numbered = [
        each._replace(chunk_id=place, file_id=place if each.file_id == 1 else each.file_id)
        for place, each in enumerate(candidates, start=100)
    ]
    idf = {term: 1.0 + len(term) for term in query.terms if not term.startswith("=")}
    return rank(numbered, query, idf, **{"limit": 10, **options})


def chunk_ids(entries: list[Ranked]) -> list[int]:
    return [entry.candidate.chunk_id for entry in entries]


@pytest.mark.parametrize(
    ("signal", "query", "better", "worse"),
    [
        ("cosine", "sessions", PLAIN._replace(cosine=0.6), PLAIN),
        ("words", "sessions", PLAIN._replace(bm25=6.0), PLAIN),
        ("fileWords", "sessions", PLAIN._replace(file_bm25=6.0), PLAIN),
        (
            "fileName",
            "where is the session",
            PLAIN._replace(path="src/session.py"),
            PLAIN._replace(path="src/cursor.py"),
        ),
        (
            "fileName",
            "config",
            PLAIN._replace(path="src/configuration.py"),
            PLAIN._replace(path="src/consideration.py"),
        ),
        ("fileName", "configurations", PLAIN._replace(path="src/config.py"), PLAIN._replace(path="src/con.py")),
        ("fileName", "auth flow", PLAIN._replace(path="auth/mod.rs"), PLAIN._replace(path="core/mod.rs")),
        ("fileName", "save sessions", PLAIN._replace(path="src/sessions.py"), PLAIN._replace(path="src/save.py")),
        ("definitionName", "where to store sessions", defining("SessionStore"), defining("SessionLock")),
        ("definitionName", "where to store sessions", defining("storeSession"), defining("storeSession", "heading")),
        ("definitionName", "save sessions", defining("open_session"), defining("save_files")),
        ("definedHere", "the Session class", defining("Session"), defining("SESSION")),
        ("definedHere", "the walkTree function", defining("walkTree"), defining("_walkTree")),
        ("definedHere", "parse_args", defining("parse_args", "function"), defining("ParseArgs")),
        ("definedHere", "Session", defining("Session"), defining("Session", "function")),
        (
            "definedHere",
            "a Session.get call",
            defining("get", container="Session"),
            defining("get", container="Client"),
        ),
        ("definedHere", "a Session.get call", defining("Session.get"), defining("Client.get")),
        ("definedHere", "the parse_args function", defining("parse_args"), defining("parse_args", depth=2)),
        ("definedHere", "the parse_args function", defining("parse_args"), defining("parse_args", line_count=1)),
        (
            "definedHere",
            "parse_args",
            PLAIN._replace(path="src/ParseArgs.py"),
            PLAIN._replace(path="src/args_parse.py"),
        ),
        ("noise", "sessions", PLAIN, PLAIN._replace(path="test/a.py")),
        ("noise", "sessions", PLAIN._replace(path="v2/a.py"), PLAIN._replace(path="v1/a.py")),
        ("depth", "sessions", PLAIN._replace(path="z.py"), PLAIN._replace(path="a/b/c.py")),
    ],
)
def test_each_signal_alone_decides(signal: str, query: str, better: Candidate, worse: Candidate) -> None:
    entries = ranked(query, worse, better)
    assert chunk_ids(entries) == [101, 100]
    differing = {name for name in SIGNALS if entries[0].signals[name] != entries[1].signals[name]}
    assert signal in differing
    assert differing <= {signal, "coherence", "fileCosine"}


@pytest.mark.parametrize("kind", ["heading", "key"])
def test_a_name_in_prose_or_data_is_half_a_definition(kind: str) -> None:
    defined, mentioned = ranked("sessions", defining("sessions", "function"), defining("sessions", kind))
    for signal in ("definedHere", "definitionName"):
        assert mentioned.signals[signal] == defined.signals[signal] / 2 > 0


def test_a_file_with_several_good_chunks_is_coherent() -> None:
    lone, first, second = (
        PLAIN,
        PLAIN._replace(file_id=2, path="src/b.py"),
        PLAIN._replace(file_id=2, path="src/b.py", start_byte=9),
    )
    entries = ranked(QUERY, lone, first, second)
    assert chunk_ids(entries) == [101, 100]
    assert [entry.signals["coherence"] for entry in entries] == [1.0, 0.25 / 0.5]


def test_a_file_is_as_near_as_its_best_chunks_together() -> None:
    others = [PLAIN._replace(cosine=cosine, path=f"{cosine}.py") for cosine in (0.0001, 0.9)]
    chunks = [PLAIN._replace(file_id=2, cosine=0.5, start_byte=start) for start in range(BEST_OF_FILE + 2)]
    shares = {entry.candidate.path: entry.signals["fileCosine"] for entry in ranked(QUERY, *others, *chunks)}
    assert shares == {"src/a.py": 1.0, "0.9.py": pytest.approx(1 / (0.5555 * BEST_OF_FILE), abs=0.01), "0.0001.py": 0.0}


def test_a_test_is_no_noise_where_nothing_else_defines_the_one_name_asked_for() -> None:
    test = defining("sessionStore", "function")._replace(path="deep/in/test/a.py", bm25=1.0)
    other = PLAIN._replace(path="a.py")
    first, _ = ranked("sessionStore", other, test)
    assert (first.candidate.path, first.signals["noise"]) == (test.path, 0.0)
    assert first.score == pytest.approx(sum(first.signals.values()))
    source = test._replace(path="deep/in/src/a.py")
    assert ranked("sessionStore", other, test, source)[0].candidate.path == source.path
    assert ranked("the sessionStore code", other, test)[0].candidate == ranked("sessionStore", other)[0].candidate


def test_noise_that_was_asked_for_is_none() -> None:
    entries = ranked("session tests", PLAIN._replace(path="test/a.py"), PLAIN._replace(path="vendor/a.py"))
    assert [entry.signals["noise"] for entry in entries] == [0.0, -3.0]


def test_equal_candidates_are_ordered_by_path_and_place() -> None:
    paths = ["b.py", "a.py", "c.py"]
    entries = ranked(QUERY, *(PLAIN._replace(path=path) for path in paths))
    assert [entry.candidate.path for entry in entries] == sorted(paths)
    same = [PLAIN._replace(file_id=7, start_byte=start) for start in (30, 10, 20)]
    assert [each.candidate.start_byte for each in ranked(QUERY, *same, max_per_file=3)] == [10, 20, 30]


def test_a_words_only_search_has_no_cosine() -> None:
    entries = ranked(QUERY, PLAIN._replace(cosine=0.0), PLAIN._replace(cosine=0.0, bm25=9.0))
    assert [entry.signals["cosine"] for entry in entries] == [0.0, 0.0]
    assert chunk_ids(entries) == [101, 100]


def test_a_search_without_words_has_no_word_signals() -> None:
    entries = ranked("", PLAIN._replace(bm25=0.0, file_bm25=0.0), PLAIN._replace(bm25=0.0, file_bm25=0.0, cosine=0.9))
    assert all(entry.signals["words"] == entry.signals["fileWords"] == 0.0 for entry in entries)
    assert chunk_ids(entries) == [101, 100]


def test_a_chunk_without_a_vector_does_not_move_the_others() -> None:
    known = [PLAIN._replace(cosine=cosine, path=f"{cosine}.py") for cosine in (0.4, 0.5, 0.6)]
    with_pending = ranked(QUERY, *known, PLAIN._replace(cosine=0.0))
    cosines = {entry.candidate.path: entry.signals["cosine"] for entry in with_pending}
    assert cosines == {"0.4.py": 0.0, "0.5.py": pytest.approx(1.0), "0.6.py": 2.0, "src/a.py": 0.0}


def test_a_term_of_unknown_idf_counts_as_the_rarest() -> None:
    known = defining("sessions_files")
    scores = [
        rank([known], of_text("sessions close files"), {"session": 1.0, "clos": 4.0, **more}, limit=1)[0].score
        for more in ({}, {"fil": 4.0}, {"fil": 1.0})
    ]
    assert scores[0] == scores[1] > scores[2]


def test_other_weights_make_another_order() -> None:
    near, named = PLAIN._replace(cosine=0.9), PLAIN._replace(path="src/session.py", file_id=2, chunk_id=2)
    far = PLAIN._replace(cosine=0.1, file_id=3, chunk_id=3)
    only_names = Weights(*[0.0] * len(SIGNALS))
    orders = [
        [entry.candidate.path for entry in rank([near, named, far], QUERY, {}, limit=1, weights=weights)]
        for weights in (replace(only_names, file_name=1.0), replace(only_names, cosine=1.0))
    ]
    assert orders == [["src/session.py"], ["src/a.py"]]


def test_a_files_other_chunks_stand_under_its_first_entry() -> None:
    chunks = [PLAIN._replace(file_id=5, start_byte=10 * place, bm25=place) for place in range(9)]
    (entry,) = ranked(QUERY, *chunks)
    assert entry.candidate.start_byte == 80
    assert [each.start_byte for each in entry.more] == [70, 60, 50]
    first, second = ranked(QUERY, *chunks, max_per_file=2)
    assert [each.start_byte for each in first.more] == [60, 50, 40]
    assert second.more == ()


def test_nothing_in_gives_nothing_out() -> None:
    assert rank([], QUERY, {}, limit=10) == []
    assert rank([PLAIN], QUERY, {}, limit=0) == []


def test_a_query_that_the_code_does_not_answer_is_weak() -> None:
    near = [
        PLAIN._replace(cosine=0.05 + place / 1000, bm25=0.0, file_bm25=0.0, path=f"{place}.py") for place in range(9)
    ]
    assert {entry.label for entry in ranked("zqx wvk", *near)} == {"weak"}


def test_an_exact_hit_on_a_name_is_strong() -> None:
    hit = defining("SessionStore")._replace(path="src/session_store.py", cosine=0.7, bm25=12.0, file_bm25=9.0)
    others = [PLAIN._replace(path=f"{place}.py", cosine=0.2) for place in range(5)]
    first = ranked("SessionStore", hit, *others)[0]
    assert (first.candidate.path, first.label) == ("src/session_store.py", "strong")


NAMES = st.sampled_from(["Session", "session_store", "persist", "a.b::C", "", "数据", "__init__", "Getting started."])
DEFINITIONS = st.builds(
    DefinedName, NAMES, st.sampled_from(["class", "method", "key"]), st.integers(0, 9), NAMES, st.booleans()
)
PATHS = ["a.py", "src/session.py", "test/x.py", "v1/a.py", "v2/a.py", "a/b/c/d/e/f/g/h/i/j.md", "数据/mod.rs"]
SCORES = st.floats(0, 50) | st.sampled_from([0.0, 5e-324, 1.0])


@st.composite
def candidate_lists(draw: st.DrawFn) -> list[Candidate]:
    defined = st.lists(DEFINITIONS, max_size=3).map(tuple)
    drawn = draw(st.lists(st.tuples(st.integers(0, len(PATHS) - 1), st.floats(-1, 1), SCORES, defined), max_size=25))
    of_files = draw(st.lists(SCORES, min_size=len(PATHS), max_size=len(PATHS)))
    return [
        Candidate(place, file, PATHS[file], 10 * place, cosine, bm25, of_files[file], definitions)
        for place, (file, cosine, bm25, definitions) in enumerate(drawn)
    ]


QUERIES = st.sampled_from(["Session", "where is a Session.get stored", "tests of v1", "", "数据", "of the"]).map(
    of_text
)


@given(candidate_lists(), QUERIES, st.integers(1, 12), st.integers(1, 3), st.randoms(use_true_random=False))
def test_any_candidates_are_ranked_soundly(
    candidates: list[Candidate], query: Query, limit: int, max_per_file: int, shuffled: random.Random
) -> None:
    idf = dict.fromkeys(query.terms[:1], 2.0)
    entries = rank(candidates, query, idf, limit=limit, max_per_file=max_per_file)
    again = rank(shuffled.sample(candidates, len(candidates)), query, idf, limit=limit, max_per_file=max_per_file)
    assert entries == again

    assert len(entries) <= limit
    files = {entry.candidate.file_id for entry in entries}
    assert len(entries) == limit or files == {each.file_id for each in candidates}
    assert [entry.score for entry in entries] == sorted((entry.score for entry in entries), reverse=True)
    assert [entry.relevance for entry in entries] == sorted((entry.relevance for entry in entries), reverse=True)
    assert max(Counter(entry.candidate.file_id for entry in entries).values(), default=0) <= max_per_file
    for entry in entries:
        assert tuple(entry.signals) == SIGNALS
        assert math.isfinite(entry.score)
        assert entry.score == pytest.approx(sum(entry.signals.values()))
        assert len(entry.more) <= MOST_MORE
        assert {each.file_id for each in entry.more} <= {entry.candidate.file_id}
    shown = [entry.candidate for entry in entries] + [each for entry in entries for each in entry.more]
    assert len({each.chunk_id for each in shown}) == len(shown)


def test_there_is_a_weight_for_each_signal() -> None:
    assert len(SIGNALS) == len(WEIGHTS.__slots__)
