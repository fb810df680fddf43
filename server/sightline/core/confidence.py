"""How sure an answer is: the chance that a hit is right, and the word for it that people read."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

from sightline.core.model import Candidate, Label, Query

# `relevance` is a logistic curve that was fitted to the development half of the benchmark: the first ten files of each
# query, and those of the same query to a repository that does not answer it (at a quarter of the weight). Tenths of
# relevance agree with the share of targets among the hits within .08, but for 0.3..0.5, where few fall and more are
# right; of the strong 91 % are targets, of the good 46 %, of the weak 3 %. tests/bench/quality.py prints the table.
PER_POINT: Final = 0.75
"""For each point of score that a leading file is ahead of the next, or another is behind the leading one."""
LEADING: Final = 1.0
PER_EVIDENCE: Final = 9.7
FOLLOWING: Final = -0.8
"""For a file that ties with the leading one, all evidence given."""
ALONE: Final = 2.0
"""The lead of a file that is the only one."""
ENOUGH_COSINE: Final = 0.55
"""Scores are relative to the best candidate, so they cannot tell a miss. Evidence is full where the best cosine ..."""
ENOUGH_WORDS: Final = 0.6
"""... or the best share of the greatest possible BM25F reaches these; ..."""
ENOUGH_WORDS_ALONE: Final = 0.3
"""... where nothing has a vector."""
LONE_NAME: Final = 0.5
"""That a single name stands somewhere is half the evidence that several words together are."""
TERM_CEILING: Final = 2.2
"""k1 + 1: what a term's idf is multiplied by at most."""
STRONG: Final = 0.7
GOOD: Final = 0.2


def chances(scores: Sequence[float], lead: float | None, evidence: float, query: Query) -> list[float]:
    """Each entry's, from their scores in order; `lead` is that of the first to any other file, if there is one."""
    if query.text.strip() in ("", " ".join(query.filters.exact)):
        # Nothing was asked but what every hit has: what the filters and the quotes say.
        return [1.0] * len(scores)
    first = relevance(ALONE if lead is None else lead, evidence, leads=True)
    return [first, *(relevance(score - scores[0], evidence) for score in scores[1:])]


def relevance(margin: float, evidence: float = 1.0, *, leads: bool = False) -> float:
    """The chance in 0..1 that an entry is right: by its lead, or what it lacks, and the share of evidence in 0..1."""
    strength = PER_POINT * margin + LEADING * leads + PER_EVIDENCE * (evidence - 1.0) + FOLLOWING
    return (1.0 + math.tanh(strength / 2.0)) / 2.0


def label(chance: float) -> Label:
    """What people read instead of a number."""
    return "strong" if chance >= STRONG else "good" if chance >= GOOD else "weak"


def evidence(candidates: Sequence[Candidate], query: Query, total_idf: float) -> float:
    """The share, in 0..1, of what shows that the code answers the query; quoted text shows it by itself."""
    if query.filters.exact:
        return 1.0
    cosine = max(each.cosine for each in candidates)
    words = max(each.bm25 for each in candidates) / (TERM_CEILING * total_idf)
    if query.is_identifier:
        words *= LONE_NAME
    enough = ENOUGH_WORDS if cosine > 0 else ENOUGH_WORDS_ALONE
    return min(1.0, max(cosine / ENOUGH_COSINE, words / enough, 0.0))
