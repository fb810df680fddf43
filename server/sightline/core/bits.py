"""Sign bits of vectors: a cheap first look at all chunks before the exact one at a few."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Signs = NDArray[np.uint64]


def signs(vectors: NDArray[np.floating]) -> Signs:
    """uint64[words, n], column-major so that a scan reads each word of all vectors in a row; bit = component > 0."""
    packed = np.packbits(vectors > 0, axis=1, bitorder="little")
    padding = -packed.shape[1] % 8
    if padding:
        packed = np.pad(packed, ((0, 0), (0, padding)))
    return np.ascontiguousarray(packed.view("<u8").T)


def unpack(data: bytes, count: int) -> Signs:
    """Stored sign bits of `count` vectors."""
    return np.frombuffer(data, "<u8").reshape(-1, count) if count else np.zeros((0, 0), np.uint64)


def distances(stored: Signs, query: NDArray[np.float32]) -> NDArray[np.uint16]:
    """Hamming distance of the query's signs to each stored vector's."""
    if not stored.shape[1]:
        return np.zeros(0, np.uint16)
    wanted = signs(query.reshape(1, -1))
    total = np.zeros(stored.shape[1], np.uint16)
    unlike, count = np.empty(stored.shape[1], np.uint64), np.empty(stored.shape[1], np.uint8)
    for word, own in zip(stored, wanted[:, 0], strict=True):
        total += np.bitwise_count(np.bitwise_xor(word, own, out=unlike), out=count)
    return total
