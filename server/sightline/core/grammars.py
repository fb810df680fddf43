"""Loading tree-sitter grammars, each from the one wheel that has it, and parsing within bounds."""

from __future__ import annotations

import ctypes
import importlib
import importlib.util
import re
import string
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Final

from tree_sitter import Language, Parser, Point, Tree

_OWN_WHEELS: Final = {
    "dart": "tree_sitter_dart",
    "haskell": "tree_sitter_haskell",
    "swift": "tree_sitter_swift",
    "zig": "tree_sitter_zig",
}
"""tree-sitter-languages lacks all but Haskell, and its Haskell takes ten times as long."""
_PACK_NAMES: Final = {"c_sharp": "csharp"}
"""Where tree-sitter-language-pack's name differs from tree-sitter-languages'."""

_CAPSULE_NAME: Final = b"tree_sitter.Language"
"""PyCapsule_New keeps the pointer, so these bytes must live as long as the process."""

_PORTION: Final = 8_192
"""Bytes given to the parser at a time. It must get bytes: with a memoryview, `Node.text` and with it every `#eq?` of a
query ends the process (tree-sitter 0.26.1)."""

_LONE_CR: Final = re.compile(rb"\r(?!\n)")

# The parser reports after every hundred operations. Code takes 0.01 reports a byte and at most 0.042 (32 repositories
# of 20 languages, short files aside); counting them, unlike a clock, gives the same answer on every machine.
_REPORTS_AT_LEAST: Final = 300
_REPORTS_PER_BYTE: Final = 0.06


@cache
def load(grammar: str) -> Language | None:
    """The grammar, or None where no installed wheel has it for this machine."""
    try:
        if grammar in _OWN_WHEELS:
            return Language(importlib.import_module(_OWN_WHEELS[grammar]).language())
        if newer := pack():
            return _from_pack(newer, grammar)
        return Language(_capsule(grammar))
    except (ImportError, OSError, AttributeError, LookupError):
        return None


def parse(grammar: str, source: bytes) -> Tree | None:
    """The syntax tree; None without the grammar, for what is no code, and when it costs far more work than code."""
    language = load(grammar)
    text = _LONE_CR.sub(b"\n", source) if b"\r" in source else source
    if language is None or is_hostile(grammar, text):
        return None
    left = int(_REPORTS_AT_LEAST + _REPORTS_PER_BYTE * len(source))

    def read(offset: int, _point: Point) -> bytes:
        return text[offset : offset + _PORTION]

    def exhausted(_offset: int, _has_error: bool) -> bool:
        nonlocal left
        left -= 1
        return left < 0

    try:
        return Parser(language).parse(read, progress_callback=exhausted)
    except ValueError:  # what the binding raises when the callback stops it
        return None


def is_hostile(grammar: str, source: bytes) -> bool:
    """Whether this is minified or a torture test: there a parser's time and memory grow with the square of the size."""
    if len(source) > _MANY_BYTES and sum(map(_density, _long_lines(source))) > len(source) // 2:
        return True
    if grammar in _FATAL and _FATAL[grammar].search(source):
        return True
    opened = ((source.count(one), other, most) for one, other, most in _PAIRS)
    return any(count > most and count - source.count(other) > most for count, other, most in opened)


def _long_lines(source: bytes) -> Iterator[bytes]:
    start = 0
    while start + _LONG_LINE < len(source):
        last_end = source.rfind(b"\n", start, start + _LONG_LINE)
        if last_end < 0:
            end = source.find(b"\n", start)
            last_end = end if end >= 0 else len(source)
            yield source[start:last_end]
        start = last_end + 1


def _density(line: bytes) -> int:
    """The line's size if it is code; data such as base64 has hardly any punctuation, and is one token."""
    return len(line) if len(line.translate(None, _DATA)) > len(line) // 16 else 0


_MANY_BYTES: Final = 10_000
_LONG_LINE: Final = 5_000
_DATA: Final = (string.ascii_letters + string.digits + "+/=").encode()
_PAIRS: Final = ((b"(", b")", 500), (b"[", b"]", 500), (b"{", b"}", 500), (b"<", b">", 2_000))
"""Brackets, and how many may stay open: Rust takes 550 MB for 1,300 open parentheses, Kotlin ends the process."""
_FATAL: Final = {
    "julia": re.compile(rb'"{1000}|`{1000}'),
    "scala": re.compile(rb"^[ \t]{120}", re.MULTILINE),
}
"""What makes a scanner write beyond its buffer and end the process: more than 100 levels of strings or indentation."""


@cache
def pack() -> ModuleType | None:
    """tree-sitter-language-pack, which is installed where tree-sitter-languages has no wheel (Python 3.13 on)."""
    if importlib.util.find_spec("tree_sitter_languages") or not importlib.util.find_spec("tree_sitter_language_pack"):
        return None
    return importlib.import_module("tree_sitter_language_pack")


def _from_pack(newer: ModuleType, grammar: str) -> Language:
    language = newer.get_language(_PACK_NAMES.get(grammar, grammar))
    assert isinstance(language, Language)
    return language


def _capsule(grammar: str) -> object:
    """tree-sitter-languages' own loader fails with a current tree-sitter; its grammars do not."""
    function = getattr(_library(), f"tree_sitter_{grammar}")
    function.restype = ctypes.c_void_p
    wrap = ctypes.pythonapi.PyCapsule_New
    wrap.restype = ctypes.py_object
    wrap.argtypes = (ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p)
    capsule: object = wrap(function(), _CAPSULE_NAME, None)
    return capsule


@cache
def _library() -> ctypes.CDLL:
    spec = importlib.util.find_spec("tree_sitter_languages")
    if spec is None or not spec.submodule_search_locations:
        raise ImportError("tree-sitter-languages is not installed")
    folder = Path(spec.submodule_search_locations[0])
    found = next((path for path in folder.iterdir() if path.stem == "languages"), None)
    if found is None:
        raise ImportError(f"tree-sitter-languages has no library in {folder}")
    return ctypes.CDLL(str(found))
