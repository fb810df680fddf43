"""What a model that takes one text a chunk is given: path and names as a header, then the chunk; and how it is cut."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from typing import Final

VERSION: Final = 1
"""Raised whenever the same chunk gives another text: its vectors are then other ones."""
HASH_BYTES: Final = 16
MOST_NAMES: Final = 12
SHORTEST: Final = 64
"""Shorter texts are not cut: no model's context is that short."""
BYTES_A_TOKEN: Final = 3.3
"""Of code, by the tokenisers of GPT-4 and BERT: 2.9 to 3.9 by language."""


def passage(path: str, container: str, names: Sequence[str], content: str) -> str:
    """The text of a chunk."""
    own = " ".join(dict.fromkeys(filter(None, (container, *names[:MOST_NAMES]))))
    return f"{path}\n{own}\n{content}" if own else f"{path}\n{content}"


def hash_of(text: str) -> bytes:
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=HASH_BYTES).digest()


def halves(text: str) -> tuple[str, str] | None:
    """A text in two, at the line end nearest to its middle; None where it is too short to be cut."""
    if len(text) < SHORTEST:
        return None
    middle = len(text) // 2
    before, after = text.rfind("\n", len(text) // 4, middle), text.find("\n", middle, 3 * len(text) // 4)
    ends = [each for each in (before, after) if each > 0]
    cut = min(ends, key=lambda each: abs(each - middle)) + 1 if ends else middle
    return text[:cut], text[cut:]


def runs(sizes: Sequence[int], most: int, most_bytes: int) -> Iterator[range]:
    """Runs of at most `most` texts and about `most_bytes`, in order."""
    start = total = 0
    for place, size in enumerate(sizes):
        if place > start and (place - start >= most or total + size > most_bytes):
            yield range(start, place)
            start, total = place, 0
        total += size
    if start < len(sizes):
        yield range(start, len(sizes))


def tokens(size_bytes: int) -> int:
    """About how many tokens so many bytes of code are."""
    return round(size_bytes / BYTES_A_TOKEN)
