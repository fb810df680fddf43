"""Open documents, whose lines end where LSP says and nowhere else.

pygls splits with `str.splitlines`, which also ends lines at form feeds, U+0085, U+2028 and the like: every edit below
such a character then lands in the wrong line.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Sequence
from itertools import islice
from typing import Any
from urllib.parse import unquote

from lsprotocol import types
from pygls.exceptions import JsonRpcInvalidParams
from pygls.workspace import TextDocument, Workspace

_NEWLINE = re.compile(r"\r\n|\r|\n")
#: Position encoding of LSP → codec, bytes of a unit.
_CODECS = {"utf-8": ("utf-8", 1), "utf-16": ("utf-16-le", 2), "utf-32": ("utf-32-le", 4)}


class LineTable:
    """A text, and where its lines start; positions are (line, character) in the client's units."""

    def __init__(self, text: str, encoding: str = "utf-16") -> None:
        self.text = text
        self._codec, self._width = _CODECS[encoding]
        # The starts found so far. An edit forgets those behind it, so that ten thousand edits of one notification
        # (VS Code sends them from the bottom up) cost one scan and not ten thousand.
        self._starts = [0]

    def lines(self) -> list[str]:
        """All lines with their ends."""
        self._scan(len(self.text))
        return [self.text[start:end] for start, end in zip(self._starts, [*self._starts[1:], None], strict=True)]

    def offset_at(self, line: int, character: int) -> int:
        """The index into the text; what lies beyond the end of a line or text is its end."""
        self._scan(line + 2 - len(self._starts))
        if line >= len(self._starts):
            return len(self.text)
        start = self._starts[line]
        content = self._content(line)
        if content.isascii():
            return start + min(character, len(content))
        units = content.encode(self._codec)[: character * self._width]
        return start + len(units.decode(self._codec, "ignore"))

    def replace(self, start: int, end: int, text: str) -> None:
        """Put `text` where the characters from `start` to `end` were."""
        self.text = f"{self.text[:start]}{text}{self.text[end:]}"
        # A start at the edit itself may have split a \r from its \n.
        del self._starts[max(1, bisect_right(self._starts, start - 1)) :]

    def _scan(self, count: int) -> None:
        """Find up to `count` more starts."""
        newlines = _NEWLINE.finditer(self.text, self._starts[-1])
        found = [newline.end() for newline in islice(newlines, max(0, count))]
        self._starts += found

    def _content(self, line: int) -> str:
        end = self._starts[line + 1] if line + 1 < len(self._starts) else len(self.text)
        return self.text[self._starts[line] : end].rstrip("\r\n")


class Document(TextDocument):
    """A document that the client has open."""

    def __init__(self, uri: str, source: str, **options: Any) -> None:
        super().__init__(uri, None, **options)
        self.table = LineTable(source, types.PositionEncodingKind(self.position_codec.encoding).value)

    @property
    def source(self) -> str:
        """The text as it is in the editor."""
        return self.table.text

    @property
    def lines(self) -> Sequence[str]:
        """The lines with their ends."""
        return self.table.lines()

    def apply_change(self, change: types.TextDocumentContentChangeEvent) -> None:
        """Apply one change, of a part or of the whole."""
        if isinstance(change, types.TextDocumentContentChangePartial):
            self.table.replace(*self.span(change.range), change.text)
        else:
            self.table.replace(0, len(self.table.text), change.text)

    def span(self, range_: types.Range) -> tuple[int, int]:
        """The part of the text that a range of the client covers, also when it is turned round."""
        start, end = sorted((self.offset_at_position(range_.start), self.offset_at_position(range_.end)))
        return start, end

    def offset_at_position(self, client_position: types.Position) -> int:
        """The index into the text of a position of the client."""
        return self.table.offset_at(client_position.line, client_position.character)


class OpenDocuments(Workspace):
    """pygls's workspace with documents of ours."""

    def _create_text_document(
        self, doc_uri: str, source: str | None = None, version: int | None = None, language_id: str | None = None
    ) -> TextDocument:
        if source is None:  # not open: pygls reads it from the disk
            return super()._create_text_document(doc_uri)
        codec = self._position_codec
        return Document(doc_uri, source, version=version, language_id=language_id, position_codec=codec)

    def update_text_document(
        self, text_doc: types.VersionedTextDocumentIdentifier, change: types.TextDocumentContentChangeEvent
    ) -> None:
        """Apply a change to a document, which must be open."""
        if unquote(text_doc.uri) not in self.text_documents:
            raise JsonRpcInvalidParams("a document that is not open was changed")
        super().update_text_document(text_doc, change)
