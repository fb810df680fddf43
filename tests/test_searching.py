"""Searching: filters before every cut, answers that stand in the files now, and equal indexes that answer alike."""

from __future__ import annotations

import asyncio
import os
import random
import re
import shutil
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from sightline.adapters.files import current
from sightline.core.model import Filters
from sightline.core.query import parse
from sightline.core.ranking import SIGNALS
from sightline.errors import QueryError
from sightline.searching import Answer, Hit, Options, Place, Search
from sightline.workspaces import Workspace, Workspaces
from support import Files, index, paths_of, search

RETRY = "def retry_upload():\n    return retry(upload)\n"
SESSION = (
    'class SessionStore:\n    """Keeps sessions on disk."""\n\n    def save(self, session):\n        return session\n'
)


def functions(count: int, body: int = 30, prefix: str = "load") -> str:
    """Functions too long to share a chunk."""
    lines = "".join(f"    step_{line} = configuration[{line}]\n" for line in range(body))
    return "".join(f"def {prefix}_{number}():\n{lines}\n\n" for number in range(count))


def touching(workspace: Workspace) -> tuple[Search, list[str]]:
    """A search over the workspace, and the paths that it is told to look at again."""
    touched: list[str] = []
    source = replace(workspace.source, touch=touched.append)
    return Search([source], workspace._search._embedder, current), touched


async def asked(search: Search, query: str, **options: Any) -> Answer:
    return await search.search(parse(query), Options(**options))


# What may answer


async def test_filters_act_before_every_cut(workspace: Workspace, folder: Files) -> None:
    """Three hundred better matches stand outside each filter, one match inside."""
    folder.write({f"noise/retry_upload_{number}.py": RETRY for number in range(300)})
    folder.write({
        "wanted/deep/one.js": "// notes\nclass Elsewhere {\n  // may retry an upload, says someone: needle (1) here\n}\n",
    })  # fmt: skip
    await index(workspace)
    queries = [
        "path:wanted", "path:wanted/**", "path:**/deep/*", "path:/wanted/deep/one.js", "file:one", "file:one.js", "file:*.js",
        "lang:js", "lang:javascript", "kind:class", "-path:noise", "-lang:py", "-lang:python", "-kind:function",
        '"needle (1) here"', '"le (1) he"', '-"return retry"', "lang:js kind:class path:wanted file:one -lang:py",
    ]  # fmt: skip
    modes = ("hybrid", "lexical", "semantic")
    answers = {
        f"{query} {mode}": await paths_of(workspace, f"{query} retry_upload", mode=mode)
        for query in queries
        for mode in modes
    }
    assert answers == dict.fromkeys(answers, ["wanted/deep/one.js"])
    alone = {query: await paths_of(workspace, query) for query in queries}
    assert alone == dict.fromkeys(alone, ["wanted/deep/one.js"])


CORPUS = {
    "src/store.py": SESSION,
    "src/net/upload.py": RETRY,
    "src/net/upload.go": "package net\n\nfunc RetryUpload() error {\n\treturn nil\n}\n",
    "web/upload.ts": "export function retryUpload(): void {}\n",
    "web/upload.tsx": "export function RetryUpload() { return <p>upload</p> }\n",
    "tests/test_upload.py": "def test_retry_upload():\n    assert retry_upload()\n",
    "docs/upload.md": "# Uploads\n\nHow an upload is retried.\n",
    "odd [dir]/up (1).py": "def upload_oddly():\n    pass\n",
    "Makefile": "upload:\n\techo upload\n",
}


async def test_the_query_box_chooses_files(workspace: Workspace, folder: Files) -> None:
    folder.write(CORPUS)
    await index(workspace)
    everything = {path for path in CORPUS if path != "src/store.py"}
    expected: dict[str, set[str]] = {
        "lang:py": {"src/net/upload.py", "tests/test_upload.py", "odd [dir]/up (1).py"},
        "lang:py,go": {"src/net/upload.py", "tests/test_upload.py", "odd [dir]/up (1).py", "src/net/upload.go"},
        "lang:ts": {"web/upload.ts", "web/upload.tsx"},
        "lang:md": {"docs/upload.md"},
        "-lang:py,ts,go,md": {"Makefile"},
        "path:src": {"src/net/upload.py", "src/net/upload.go"},
        "path:src/net/*.py": {"src/net/upload.py"},
        "path:net lang:go": {"src/net/upload.go"},
        "path:src,docs": {"src/net/upload.py", "src/net/upload.go", "docs/upload.md"},
        "path:src path:docs": {"src/net/upload.py", "src/net/upload.go", "docs/upload.md"},
        "-path:src -path:web -path:tests": {"docs/upload.md", "odd [dir]/up (1).py", "Makefile"},
        "path:src -file:*.go": {"src/net/upload.py"},
        "file:upload.*": {
            "src/net/upload.py",
            "src/net/upload.go",
            "web/upload.ts",
            "web/upload.tsx",
            "docs/upload.md",
        },
        "file:upload -file:*.ts*": {"src/net/upload.py", "src/net/upload.go", "docs/upload.md"},
        'path:"odd [dir]"': set(),  # brackets are one of their letters
        'path:"odd [[]dir]"': {"odd [dir]/up (1).py"},
        'file:"up (1).py"': {"odd [dir]/up (1).py"},
        "path:{src,web}/**": {"src/net/upload.py", "src/net/upload.go", "web/upload.ts", "web/upload.tsx"},
        "path:nowhere": set(),
        "kind:heading": {"docs/upload.md"},
        "-path:** ": set(),
        "": everything,
    }
    answers = {query: set(await paths_of(workspace, f"{query} upload", limit=50, mode="lexical")) for query in expected}
    assert answers == expected


@pytest.mark.parametrize(
    ("query", "shown"),
    [
        ("json", ("method", "to_json", 4)),
        ("kind:method json", ("method", "to_json", 4)),
        ("kind:class json", ("class", "Tag", 0)),
        ("kind:class,field json", ("class", "Tag", 0)),
    ],
)
async def test_what_is_shown_is_of_the_kind_that_was_asked_for(
    workspace: Workspace, folder: Files, query: str, shown: tuple[str, str, int]
) -> None:
    folder.write({"tags.py": 'class Tag:\n    """A tag."""\n\n    def to_json(self):\n        return json(self)\n'})
    await index(workspace)
    hit = (await search(workspace, query)).hits[0]
    assert (hit.kind, hit.symbol, hit.best_line) == shown


async def test_a_filter_that_is_none_is_an_error(workspace: Workspace) -> None:
    for query, message in (
        ("lnag:py x", "unknown filter"),
        ("lang:klingon", "unknown language"),
        ("kind:thing", "kind"),
    ):
        with pytest.raises(QueryError, match=message):
            await search(workspace, query)


@pytest.mark.parametrize("query", ["", "   ", '"', '""', "\0", "\n\t", "-", "()", "?!"])
async def test_a_query_that_asks_nothing_finds_nothing(workspace: Workspace, folder: Files, query: str) -> None:
    folder.write({"a.py": RETRY})
    await index(workspace)
    answer = await search(workspace, query, mode="lexical")
    assert (answer.hits, answer.complete, answer.indexed_percent) == ((), True, 100)


async def test_filters_alone_list_what_they_let_through_in_order_of_paths(workspace: Workspace, folder: Files) -> None:
    folder.write({f"src/m{number:02}.py": functions(2) for number in reversed(range(30))})
    folder.write({"other.go": "package x\n"})
    await index(workspace)
    expected = [f"src/m{number:02}.py" for number in range(30)]
    for query in ("lang:py", "path:src", "kind:function", "-lang:go", "file:m*"):
        assert await paths_of(workspace, query, limit=50) == expected, query
        assert await paths_of(workspace, query, limit=3) == expected[:3], query


async def test_more_than_a_thousand_chunks_are_listed_in_order_of_paths_as_well(
    workspace: Workspace, folder: Files
) -> None:
    folder.write({f"m{number:03}.py": functions(6) for number in range(100, 250)})
    await index(workspace)
    folder.write({f"m{number:03}.py": functions(6) for number in range(100)})
    await index(workspace)
    assert (await workspace.status())["chunks"] > 1000
    assert await paths_of(workspace, "lang:py", limit=50) == [f"m{number:03}.py" for number in range(50)]
    starts = [hit.start_line for hit in (await search(workspace, "lang:py", max_per_file=50)).hits]
    assert starts[:6] == sorted(starts[:6])


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(chance=st.randoms(use_true_random=False))
async def test_any_part_of_a_text_finds_it(
    part: Callable[[random.Random], Awaitable[None]], chance: random.Random
) -> None:
    await part(chance)


ODD_TEXT = (
    "def query(self):\n    sql = \"select * from t where a = $1 and b ~ '^x[0-9]+\\\\.$' -- 100% (really?)\"\n"
    "    return self.run(sql, {'key': [1, 2]}) or None  # ünïcode, 日本語, the end of it\n\n\n"
    "class HTTPServer_v2(Base):\n\tlimit = 0x1F | ~3\n\n\tdef on_error(self, *args, **kw) -> 'Optional[int]':\n\t\traise NotFound(args)\n"
)


@pytest.fixture
async def part(workspace: Workspace, folder: Files) -> Callable[[random.Random], Awaitable[None]]:
    folder.write({"odd.py": ODD_TEXT, "plain.py": RETRY, "other.py": SESSION})
    await index(workspace)
    chunks = [row[0] for row in await (await workspace.store.pool()).fetch("select content from code_chunks")]

    async def check(chance: random.Random) -> None:
        content = chance.choice(chunks)
        start = chance.randrange(len(content))
        text = content[start : start + chance.randint(1, 80)]
        if not text.strip():
            return
        quoted = text.replace("\\", "\\\\").replace('"', '\\"')
        answer = await search(workspace, f'"{quoted}"', limit=50)
        found = {hit.path for hit in answer.hits}
        held = {path for path in ("odd.py", "plain.py", "other.py") if text in (folder.root / path).read_text()}
        assert found == held, text
        without = await paths_of(workspace, f'lang:py -"{quoted}"', limit=50)
        assert set(without) >= {"odd.py", "plain.py", "other.py"} - held

    return check


async def test_exact_text_is_exact(workspace: Workspace, folder: Files) -> None:
    folder.write({"a.py": "value = Compute(1)\n", "b.py": "value = compute(1)\n", "c.py": "value  = Compute(1)\n"})
    await index(workspace)
    expected = {
        '"value = Compute(1)"': {"a.py"}, '"= Comp"': {"a.py", "c.py"}, '"alue ="': {"a.py", "b.py"},
        '"ompute(1)" "value ="': {"a.py", "b.py"}, '"ompute(1)" -"Compute"': {"b.py"}, '"Compute.1."': set(),
        '"Compute" compute': {"a.py", "c.py"}, '-"Compute" compute': {"b.py"}, '"%"': set(), '"_"': set(),
    }  # fmt: skip
    assert {query: set(await paths_of(workspace, query)) for query in expected} == expected


# How answers are cut and told


async def test_a_mode_uses_its_signals_only(workspace: Workspace, folder: Files) -> None:
    folder.write(CORPUS)
    await index(workspace)
    query = "where are sessions persisted"
    signals = {
        mode: (await search(workspace, query, mode=mode, explain=True)).hits[0].signals
        for mode in ("hybrid", "lexical", "semantic")
    }
    assert signals["hybrid"]["cosine"] > 0 < signals["hybrid"]["words"]
    assert signals["lexical"]["cosine"] == signals["lexical"]["fileCosine"] == 0 < signals["lexical"]["words"]
    assert signals["semantic"]["words"] == signals["semantic"]["fileWords"] == 0 < signals["semantic"]["cosine"]
    assert await paths_of(workspace, "persistence", mode="lexical") == []
    assert "src/store.py" in await paths_of(workspace, "persistence", mode="semantic")
    for mode in ("hybrid", "lexical", "semantic"):
        assert (await search(workspace, query, mode=mode)).mode == mode


async def test_explaining_names_every_signal(workspace: Workspace, folder: Files) -> None:
    folder.write(CORPUS)
    await index(workspace)
    explained, plain = await search(workspace, "retry upload", explain=True), await search(workspace, "retry upload")
    assert {tuple(hit.signals) for hit in explained.hits} == {SIGNALS}
    assert {tuple(hit.signals) for hit in plain.hits} == {()}
    sums = [sum(hit.signals.values()) for hit in explained.hits]
    assert sums == sorted(sums, reverse=True)
    assert [replace(hit, signals={}) for hit in explained.hits] == list(plain.hits)


async def test_a_file_is_one_entry_unless_more_are_asked_for(workspace: Workspace, folder: Files) -> None:
    folder.write({"big.py": functions(9), "small.py": functions(1)})
    await index(workspace)
    one = await search(workspace, "load configuration step")
    assert sorted(hit.path for hit in one.hits) == ["big.py", "small.py"]
    big = next(hit for hit in one.hits if hit.path == "big.py")
    assert len(big.more) == 3
    places = [(big.start_line, big.end_line), *((each.start_line, each.end_line) for each in big.more)]
    assert len(set(places)) == 4
    lines = (folder.root / "big.py").read_text().split("\n")
    for each in big.more:
        assert lines[each.start_line] == f"def {each.symbol}():"
        assert lines[each.end_line].strip()
    three = await search(workspace, "load configuration step", max_per_file=3)
    assert sorted(hit.path for hit in three.hits) == ["big.py"] * 3 + ["small.py"]
    assert len((await search(workspace, "load configuration step", max_per_file=50, limit=4)).hits) == 4


async def test_an_answer_says_whether_everything_was_searched(workspace: Workspace, folder: Files) -> None:
    folder.write({f"m{number}.py": functions(4) for number in range(300)})
    before = await search(workspace, "load")
    assert (before.complete, before.indexed_percent, before.hits) == (False, 0, ())
    seen: list[Answer] = []
    waiting: list[asyncio.Task[None]] = []

    async def look() -> None:
        seen.append(await search(workspace, "load configuration"))

    await workspace.index(lambda step: waiting.append(asyncio.create_task(look())))
    await asyncio.gather(*waiting)
    assert any(not each.complete and 0 < each.indexed_percent < 100 and each.hits for each in seen)
    after = await search(workspace, "load")
    assert (after.complete, after.indexed_percent) == (True, 100)


# Answers stand in the files as they are now


async def test_text_that_moved_is_found_where_it_is_now(workspace: Workspace, folder: Files) -> None:
    folder.write({"a.py": SESSION})
    await index(workspace)
    lookup, touched = touching(workspace)
    folder.write({"a.py": "import os\r\n\r\n" + "# above\n" * 5 + SESSION})
    hit = (await asked(lookup, "SessionStore")).hits[0]
    assert (hit.start_line, hit.best_line, hit.verified, touched) == (7, 7, True, ["a.py"])


async def test_a_file_that_did_not_change_is_not_touched(workspace: Workspace, folder: Files) -> None:
    folder.write(
        {"a.py": SESSION, "crlf.py": SESSION.replace("\n", "\r\n"), "latin.py": "# é session\n".encode("latin-1")}
    )
    await index(workspace)
    lookup, touched = touching(workspace)
    assert len((await asked(lookup, "session")).hits) == 3
    assert touched == []


async def test_text_that_is_gone_is_no_answer_and_is_looked_at_again(workspace: Workspace, folder: Files) -> None:
    folder.write({"a.py": SESSION, "b.py": SESSION.replace("Store", "Box"), "c.py": "class Session: ...\n"})
    await index(workspace)
    lookup, touched = touching(workspace)
    folder.write({"a.py": "nothing = 1\n", "b.py": b"\x00\x01binary"})
    folder.remove("c.py")
    answer = await asked(lookup, "session")
    assert (answer.hits, sorted(set(touched))) == ((), ["a.py", "b.py", "c.py"])


async def test_what_is_gone_makes_room_for_what_stands(workspace: Workspace, folder: Files) -> None:
    folder.write({f"best/session_store_{number}.py": SESSION for number in range(40)})
    folder.write({f"rest/r{number}.py": f"# about a session, {number}\n" for number in range(5)})
    await index(workspace)
    before = await paths_of(workspace, "session store", limit=5)
    assert all(path.startswith("best/") for path in before)
    lookup, touched = touching(workspace)
    shutil.rmtree(folder.root / "best")
    answer = await asked(lookup, "session store", limit=5)
    assert sorted(hit.path for hit in answer.hits) == [f"rest/r{number}.py" for number in range(5)]
    assert len(set(touched)) == 40


async def test_a_files_next_place_steps_up_when_its_best_is_gone(workspace: Workspace, folder: Files) -> None:
    text = functions(4)
    folder.write({"a.py": text})
    await index(workspace)
    lookup, touched = touching(workspace)
    first = (await asked(lookup, "load_2")).hits[0]
    assert first.symbol == "load_2"
    folder.write({"a.py": text.replace("def load_2", "def stored")})
    hit = (await asked(lookup, "load_2")).hits[0]
    assert hit.path == "a.py"
    assert sorted([hit.symbol, *(each.symbol for each in hit.more)]) == ["load_0", "load_1", "load_3"]
    assert touched == ["a.py"]


async def test_what_a_search_touches_is_indexed_next(workspace: Workspace, folder: Files) -> None:
    folder.write({"a.py": SESSION, "b.py": RETRY})
    await index(workspace)
    folder.write({"a.py": SESSION.replace("SessionStore", "CookieJar").replace("session", "cookie")})
    assert "a.py" not in await paths_of(workspace, "SessionStore")
    assert workspace.indexer.queued == 1
    async with workspace.indexer.writing() as writer:
        assert writer is not None
        await workspace.indexer.settle(writer)
    assert (await paths_of(workspace, "CookieJar"))[0] == "a.py"


# Several folders, projects, selections, names


async def test_folders_are_searched_as_one(sightline: Workspaces, tmp_path: Path) -> None:
    workspaces = []
    for name in ("one", "two"):
        files = Files(tmp_path / name)
        files.write({f"{name}_{number}.py": f"# session {number}\n" for number in range(3)})
        files.write({"shared.py": SESSION})
        workspaces.append(await sightline.open(files.root))
        await index(workspaces[-1])
    both = Search([each.source for each in workspaces], sightline.embedder, current)
    answer = await asked(both, "session", limit=50, explain=True)
    assert sorted((hit.root.name, hit.path) for hit in answer.hits) == sorted(
        [(name, f"{name}_{number}.py") for name in ("one", "two") for number in range(3)]
        + [("one", "shared.py"), ("two", "shared.py")]
    )
    assert {hit.project_id for hit in answer.hits} == {each.project.id for each in workspaces}
    sums = [sum(hit.signals.values()) for hit in answer.hits]
    assert sums == sorted(sums, reverse=True)
    shared = [(hit.root.name, hit.path) for hit in answer.hits if hit.path == "shared.py"]
    assert shared == [("one", "shared.py"), ("two", "shared.py")]
    symbols = await both.symbols("SessionStore", 10)
    assert [(root.name, each.path) for root, each in symbols] == [("one", "shared.py"), ("two", "shared.py")]
    assert len((await asked(both, "session", limit=3)).hits) == 3


async def test_an_answer_over_folders_is_complete_when_each_is(sightline: Workspaces, tmp_path: Path) -> None:
    workspaces = []
    for name in ("one", "two"):
        Files(tmp_path / name).write({"a.py": SESSION})
        workspaces.append(await sightline.open(tmp_path / name))
    both = Search([each.source for each in workspaces], sightline.embedder, current)
    await index(workspaces[0])
    half = await asked(both, "session")
    assert (half.complete, len(half.hits)) == (False, 1)
    await index(workspaces[1])
    whole = await asked(both, "session")
    assert (whole.complete, len(whole.hits)) == (True, 2)


async def test_nothing_to_search_is_an_empty_answer(sightline: Workspaces) -> None:
    nowhere = Search([], sightline.embedder, current)
    assert (await asked(nowhere, "session")).hits == ()
    assert await nowhere.symbols("session", 10) == []


async def test_a_project_is_searched_by_its_id(
    sightline: Workspaces, workspace: Workspace, folder: Files, tmp_path: Path
) -> None:
    folder.write({"a.py": SESSION})
    await index(workspace)
    other = Files(tmp_path / "second checkout")
    other.write({"a.py": SESSION, "b.py": RETRY})
    await index(await sightline.open(other.root, workspace.project.id))
    (source,) = await sightline.project_sources(workspace.project)
    assert [each.root for each in source.checkouts] == [folder.root, other.root]
    lookup = Search([source], sightline.embedder, current)
    found = (await asked(lookup, "session", mode="lexical")).hits
    assert sorted((hit.root, hit.path) for hit in found) == sorted([(folder.root, "a.py"), (other.root, "a.py")])
    assert {hit.project_id for hit in found} == {workspace.project.id}
    shutil.rmtree(folder.root)
    found = (await asked(lookup, "session", mode="lexical")).hits
    assert [(hit.root, hit.path) for hit in found] == [(other.root, "a.py")]


async def test_checkouts_of_a_project_do_not_see_each_other(
    sightline: Workspaces, workspace: Workspace, folder: Files, tmp_path: Path
) -> None:
    """Neither their chunks nor their definitions, of however many namesakes."""
    other = Files(tmp_path / "big")
    other.write(
        {
            f"m{number}.py": "".join(f"class Widget{place}:\n    x = {place}\n" for place in range(100))
            for number in range(8)
        }
    )
    other.write({f"w{number}.py": "class Widget:\n    pass\n" for number in range(320)})
    folder.write({"only.py": "class Widget:\n    here = True\n"})
    await index(await sightline.open(other.root, workspace.project.id))
    await index(workspace)
    for typed in ("Widget", "Widg", "W", "widgt", "idget", ""):
        found = await Search([workspace.source], sightline.embedder, current).symbols(typed, 10)
        assert [(root, each.path) for root, each in found] == [(folder.root, "only.py")], typed
    for query in ("Widget", "class widget here", '"class Widget"', "lang:py", "kind:class Widget"):
        assert await paths_of(workspace, query) == ["only.py"], query


async def test_code_like_the_selection_is_found_without_it(
    workspace: Workspace, sightline: Workspaces, folder: Files
) -> None:
    text = functions(4)
    folder.write({"a.py": text, "copy.py": text.replace("load", "fetch"), "other.py": SESSION})
    await index(workspace)
    lookup = Search([workspace.source], sightline.embedder, current)
    lines = text.split("\n")
    first = lines.index("def load_1():")
    selection = "\n".join(lines[first : first + 31])
    place = Place(folder.root, "a.py", first, first + 30)
    answer = await lookup.similar(selection, place, Filters(), Options(limit=3))
    assert [hit.path for hit in answer.hits[:2]] in (["a.py", "copy.py"], ["copy.py", "a.py"])
    for hit in answer.hits:
        assert not place.overlaps(Place(hit.root, hit.path, hit.start_line, hit.end_line))
        for each in hit.more:
            assert hit.path != "a.py" or each.end_line < first or each.start_line > first + 30
    whole = Place(folder.root, "a.py", 0, len(lines))
    assert "a.py" not in [hit.path for hit in (await lookup.similar(text, whole, Filters(), Options())).hits]
    filtered = await lookup.similar(selection, place, Filters(include=("other.py",)), Options())
    assert [hit.path for hit in filtered.hits] == ["other.py"]


async def test_names_are_found_by_what_is_typed_of_them(
    workspace: Workspace, sightline: Workspaces, folder: Files
) -> None:
    folder.write({
        "src/config.py": "class ConfigurationParser:\n    def parse_config(self): ...\n\n\nDEFAULT_TIMEOUT = 3\n",
        "src/http.go": "package http\n\nfunc ParseConfig() {}\n\ntype HTTPServer struct{}\n",
        "tests/test_config.py": "def parse_config(): ...\n",
    })  # fmt: skip
    await index(workspace)
    lookup = Search([workspace.source], sightline.embedder, current)

    async def names(typed: str) -> list[str]:
        return [each.name for _, each in await lookup.symbols(typed, 10)]

    assert await names("parse_config") == ["parse_config", "parse_config", "ParseConfig"]
    assert [each.path for _, each in await lookup.symbols("parse_config", 10)][:2] == [
        "src/config.py",
        "tests/test_config.py",
    ]
    assert (await names("ParseConfig"))[0] == "ParseConfig"
    assert (await names("configurationp"))[0] == "ConfigurationParser"
    assert (await names("CP"))[0] == "ConfigurationParser"
    assert (await names("dt"))[0] == "DEFAULT_TIMEOUT"
    assert "ConfigurationParser" in await names("cfgprsr")
    assert "HTTPServer" in await names("server")
    assert "HTTPServer" in await names("htpserver")
    assert "HTTPServer" in await names("httpsrever")
    assert "ConfigurationParser" in await names("")
    assert await names("nothinglikethis") == await names("%%%") == await names("_") == []
    assert len(await lookup.symbols("", 2)) == 2
    root, symbol = (await lookup.symbols("parse_config", 1))[0]
    assert (root, symbol.path, symbol.container, symbol.start_line) == (
        folder.root,
        "src/config.py",
        "ConfigurationParser",
        1,
    )


# Equal indexes answer alike


QUERIES = (
    "load configuration step", "retry upload", "session", "load_1", "SessionStore", "lang:py", "kind:function load",
    '"step_1 = "', "-path:b load", "keeps sessions on disk",
)  # fmt: skip
PARTS = (
    SESSION,
    RETRY,
    functions(2),
    functions(3, 12, "retry"),
    "# session upload\n",
    "x = 1\n",
    "",
    "def load_1(): ...\n",
)
NAMES = ("a.py", "b/a.py", "b/c.py", "session.py", "upload/retry.py", "d.md")


def shown(answer: Answer) -> list[tuple[object, ...]]:
    """A whole answer without what differs between two folders."""
    return [
        tuple(getattr(hit, name) for name in Hit.__slots__ if name not in ("project_id", "root")) for hit in answer.hits
    ]


async def answers_of(workspace: Workspace) -> list[list[tuple[object, ...]]]:
    options = [
        {"limit": 50, "explain": True}, {"limit": 50, "mode": "lexical", "max_per_file": 3}, {"limit": 4, "mode": "semantic"}
    ]  # fmt: skip
    return [shown(await search(workspace, query, **each)) for query in QUERIES for each in options]


edits = st.lists(
    st.tuples(st.sampled_from(NAMES), st.lists(st.sampled_from(PARTS), max_size=3).map("".join) | st.none()),
    min_size=1, max_size=4,
)  # fmt: skip


@settings(
    max_examples=8, deadline=None, suppress_health_check=list(HealthCheck), phases=[Phase.explicit, Phase.generate]
)
@given(rounds=st.lists(edits, min_size=2, max_size=4))
async def test_an_index_that_grew_by_edits_answers_as_a_fresh_one(
    sightline: Workspaces, tmp_path: Path, rounds: Sequence[Sequence[tuple[str, str | None]]]
) -> None:
    number = len(os.listdir(tmp_path))
    files = Files(tmp_path / f"grown{number}" / "root")
    files.root.mkdir(parents=True)
    grown = await sightline.open(files.root)
    for each in rounds:
        for name, text in each:
            if text is not None:
                files.write({name: text})
            elif (files.root / name).exists():
                files.remove(name)
        await index(grown)
    shutil.copytree(files.root, tmp_path / f"fresh{number}" / "root")
    fresh = await sightline.open(tmp_path / f"fresh{number}" / "root")
    await index(fresh)
    assert await answers_of(grown) == await answers_of(fresh)


async def test_many_equal_matches_are_cut_by_path_and_not_by_age(
    sightline: Workspaces, workspace: Workspace, folder: Files, tmp_path: Path
) -> None:
    """More ties than candidates: with words, names of files, definitions and vectors."""
    files = {f"d{number:03}/index.py": "def widget():\n    return rare_word\n" for number in range(600)}
    parts = list(files.items())
    for chosen in (parts[400:], parts[:100], parts[100:400]):
        folder.write(dict(chosen))
        await index(workspace)
    copy = Files(tmp_path / "copy")
    copy.write(files)
    fresh = await sightline.open(copy.root)
    await index(fresh)
    for query in ("rare_word", "index", "widget", "def widget return", "lang:py", '"return rare"', "path:d5* widget"):
        for mode in ("lexical", "hybrid"):
            one, other = [shown(await search(each, query, limit=50, mode=mode)) for each in (workspace, fresh)]
            assert one == other, (query, mode)
    lexical = await paths_of(workspace, "rare_word", limit=50, mode="lexical")
    assert lexical == [f"d{number:03}/index.py" for number in range(50)]


async def test_searches_during_writes_and_merges_answer_with_what_stands(workspace: Workspace, folder: Files) -> None:
    names = [f"m{number}.py" for number in range(8)]
    folder.write(dict.fromkeys(names, functions(2)))
    await index(workspace)

    begun: list[int] = []

    async def write() -> None:
        for number in range(14):
            begun.append(number)
            folder.write({names[number % 8]: functions(2, prefix=f"load_{number}")})
            workspace.indexer.touch([names[number % 8]])
            async with workspace.indexer.writing() as writer:
                assert writer is not None
                await workspace.indexer.settle(writer)

    writing = asyncio.create_task(write())
    answers = []
    while not writing.done():
        before = len(begun)
        found = await asyncio.gather(*(search(workspace, "load configuration step") for _ in range(4)))
        answers += [(answer, 1 + len(begun) - before) for answer in found]
    await writing
    for answer, changed in answers:
        assert 8 - changed <= len({hit.path for hit in answer.hits}) == len(answer.hits)
        assert all(re.match(r"def load_", hit.text) for hit in answer.hits)
    assert sorted(await paths_of(workspace, "load configuration step")) == names
