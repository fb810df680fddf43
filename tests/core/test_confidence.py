"""A label promises what the hits keep: by the lead over other files, and by what shows that there is an answer."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sightline.core.confidence import chances, evidence, label, relevance
from sightline.core.model import Candidate
from sightline.core.query import parse

SHARES = st.floats(0, 1)
POINTS = st.floats(-1e6, 1e6)


def candidate(cosine: float = 0.0, bm25: float = 0.0) -> Candidate:
    return Candidate(chunk_id=1, file_id=1, path="a.py", start_byte=0, cosine=cosine, bm25=bm25, file_bm25=0.0)


@pytest.mark.parametrize(("chance", "expected"), [(1.0, "strong"), (0.5, "good"), (0.0, "weak")])
def test_a_chance_has_a_label(chance: float, expected: str) -> None:
    assert label(chance) == expected


@given(POINTS, POINTS, SHARES, SHARES)
def test_relevance_lies_between_0_and_1_and_grows_with_margin_and_evidence(
    one: float, other: float, some: float, more: float
) -> None:
    low = relevance(min(one, other), min(some, more))
    high = relevance(max(one, other), max(some, more))
    assert 0.0 <= low <= high <= relevance(max(one, other), max(some, more), leads=True) <= 1.0


@given(st.lists(st.floats(-100, 100), min_size=1, max_size=9), st.none() | st.floats(0, 100), SHARES)
def test_chances_fall_with_the_scores(scores: list[float], lead: float | None, shown: float) -> None:
    scores.sort(reverse=True)
    found = chances(scores, lead, shown, parse("where are sessions kept"))
    assert len(found) == len(scores)
    assert found == sorted(found, reverse=True)


@pytest.mark.parametrize(
    ("lead", "shown", "expected"),
    [(3.0, 1.0, "strong"), (0.2, 1.0, "good"), (3.0, 0.5, "weak"), (None, 1.0, "strong"), (None, 0.0, "weak")],
)
def test_a_first_entry_is_strong_by_its_lead_and_the_evidence(lead: float | None, shown: float, expected: str) -> None:
    assert label(chances([9.0], lead, shown, parse("session"))[0]) == expected


def test_an_entry_far_behind_the_first_is_weak() -> None:
    found = chances([9.0, 8.8, 4.0], 0.2, 1.0, parse("session"))
    assert [label(each) for each in found] == ["good", "good", "weak"]


@pytest.mark.parametrize("line", ["lang:py kind:class", '"raise NotFound"', '"a b" "c"', "path:src"])
def test_hits_of_filters_and_quotes_alone_are_all_strong(line: str) -> None:
    assert chances([0.0, -9.0], 0.0, 0.0, parse(line)) == [1.0, 1.0]


@pytest.mark.parametrize(
    ("line", "cosine", "share", "expected"),
    [
        ("open sessions", 0.9, 0.0, 1.0),
        ("open sessions", 0.11, 0.0, 0.2),
        ("open sessions", 0.001, 0.9, 1.0),
        ("open sessions", 0.001, 0.3, 0.5),
        ("open sessions", 0.0, 0.3, 1.0),
        ("session", 0.001, 0.3, 0.25),
        ("open sessions", -0.5, 0.0, 0.0),
        ('sessions that "open()"', 0.0, 0.0, 1.0),
    ],
)
def test_evidence_is_the_best_cosine_or_the_best_share_of_the_words(
    line: str, cosine: float, share: float, expected: float
) -> None:
    found = [candidate(cosine=cosine), candidate(cosine=cosine / 2, bm25=share * 2.2 * 7.0)]
    assert evidence(found, parse(line), 7.0) == pytest.approx(expected)
