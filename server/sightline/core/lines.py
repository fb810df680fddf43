"""Where lines begin, by LSP's rule: a line ends at `\\n`, `\\r\\n` or a lone `\\r`."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Offsets = npt.NDArray[np.int64]

_LF, _CR = 10, 13


class LineTable:
    """The starts of a text's lines, in bytes. Text that ends with a line end has an empty last line."""

    __slots__ = ("size", "starts")

    def __init__(self, source: bytes) -> None:
        self.size = len(source)
        self.starts: Offsets = np.concatenate(([0], _line_ends(source) + 1)).astype(np.int64, copy=False)

    @property
    def count(self) -> int:
        """How many lines there are; at least one."""
        return len(self.starts)

    def start(self, line: int) -> int:
        """The offset of a line's first byte; the text's size for a line beyond the last."""
        return int(self.starts[line]) if line < self.count else self.size

    def line_of(self, offsets: npt.ArrayLike) -> Offsets:
        """The lines that hold these offsets; a line end belongs to the line it ends."""
        return np.searchsorted(self.starts, np.asarray(offsets, dtype=np.int64), side="right") - 1


def _line_ends(source: bytes) -> Offsets:
    """Offsets of the last byte of each line end."""
    data = np.frombuffer(source, dtype=np.uint8)
    if b"\r" not in source:
        return np.flatnonzero(data == _LF)
    alone = data == _CR
    alone[:-1] &= data[1:] != _LF
    return np.flatnonzero(alone | (data == _LF))
