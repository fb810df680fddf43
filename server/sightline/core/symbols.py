"""How well a name answers what somebody types to find it, and in which order names are shown."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from sightline.core import noise
from sightline.core.identifiers import folded, initials
from sightline.core.model import CALLABLE_KINDS, TYPE_KINDS

EXACT, SAME_LETTERS, PREFIX, HUMPS, SUBSTRING, SUBSEQUENCE, TYPO = 7.0, 6.0, 5.0, 4.0, 3.0, 2.0, 1.0
"""A better kind of match outweighs everything else."""
NOISE_COST: Final = 0.9
KIND_GAIN: Final = 0.3
DEPTH_COST: Final = 0.05


@dataclass(frozen=True, slots=True)
class Symbol:
    """A definition as it is listed. Lines are 0-based and inclusive."""

    name: str
    kind: str
    container: str
    depth: int
    path: str
    start_line: int
    end_line: int
    repository_id: int


def match(typed: str, name: str) -> float:
    """How well `name` answers: from EXACT down to TYPO, 0 where it does not."""
    if typed == name:
        return EXACT
    wanted, own = folded(typed), folded(name)
    if not wanted or not own:
        return 0.0
    if wanted == own:
        return SAME_LETTERS
    share = len(wanted) / len(own)
    if own.startswith(wanted):
        return PREFIX + share / 2
    if len(wanted) > 1 and initials(name).startswith(wanted):
        return HUMPS + share / 2
    if wanted in own:
        return SUBSTRING + share / 2
    if len(wanted) > 2 and _is_subsequence(wanted, own):
        return SUBSEQUENCE + share / 2
    return TYPO if len(wanted) > 3 and _one_edit_apart(wanted, own) else 0.0


def ordered(typed: str, symbols: Iterable[Symbol], limit: int) -> list[Symbol]:
    """The symbols that match, best first: by match, kind, depth and noise, then by name and place."""
    scored = [(match(typed, each.name), each) for each in symbols]
    kept = [(score + _bonus(each), each) for score, each in scored if score or not typed]
    kept.sort(key=lambda pair: (-pair[0], len(pair[1].name), pair[1].path, pair[1].start_line))
    return [each for _, each in kept[:limit]]


def _bonus(symbol: Symbol) -> float:
    gain = KIND_GAIN if symbol.kind in TYPE_KINDS else KIND_GAIN / 2 if symbol.kind in CALLABLE_KINDS else 0.0
    return gain - DEPTH_COST * min(symbol.depth, 4) - (NOISE_COST if noise.kinds(symbol.path) else 0.0)


def _is_subsequence(wanted: str, name: str) -> bool:
    letters = iter(name)
    return all(letter in letters for letter in wanted)


def _one_edit_apart(one: str, other: str) -> bool:
    """Whether one insertion, deletion, change or swap of neighbours makes the one the other."""
    if abs(len(one) - len(other)) > 1:
        return False
    start = next((i for i, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))
    rest, others = one[start:], other[start:]
    if len(one) != len(other):
        longer, shorter = (rest, others) if len(rest) > len(others) else (others, rest)
        return longer[1:] == shorter
    swapped = rest[:2][::-1] == others[:2]
    return rest[1:] == others[1:] or (swapped and rest[2:] == others[2:])
