"""What gives structure to text that no grammar reads: headings, keys, and declarations by their first word."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Final, NamedTuple

_MAX_KEYS: Final = 256
"""More keys on one level are data, not structure."""
_MAX_NAME: Final = 120
_MAX_LEVEL: Final = 6

_LONE_CR: Final = re.compile(rb"\r(?!\n)")


class Mark(NamedTuple):
    """A line that begins a section of the text; `level` counts from 0 at the outside."""

    start: int
    level: int
    name: str
    kind: str = "heading"


def find(language: str, source: bytes) -> list[Mark]:
    """The marks in order; a language without rules of its own is taken for code."""
    if language in _UNSTRUCTURED:
        return []
    finder = _FINDERS.get(language, _declarations)
    text = _LONE_CR.sub(b"\n", source) if b"\r" in source else source
    marks = [mark for mark in finder(text) if 0 < len(mark.name) <= _MAX_NAME and mark.level < _MAX_LEVEL]
    keys = Counter(mark.level for mark in marks if mark.kind == "key")
    return [mark for mark in marks if mark.kind != "key" or keys[mark.level] <= _MAX_KEYS]


_MARKDOWN: Final = re.compile(
    rb"^ {0,3}(?P<fence>```+|~~~+)|^ {0,3}(?P<signs>#{1,6})[ \t]+(?P<title>[^\n]*)"
    rb"|^(?P<over>(?![#>|+*-]|\d+[.)])[^\s][^\n]*)\n(?P<under>={3,}|-{3,})[ \t\r]*$",
    re.MULTILINE,
)
_FRONT_MATTER: Final = re.compile(rb"---\r?\n.*?^---[ \t]*\r?$", re.DOTALL | re.MULTILINE)


def _markdown(text: bytes) -> Iterator[Mark]:
    head = _FRONT_MATTER.match(text)
    fence = b""
    for found in _MARKDOWN.finditer(text, head.end() if head else 0):
        if mark := found["fence"]:
            fence = b"" if fence and mark.startswith(fence) else fence or mark[:3]
        elif fence:
            continue
        elif found["signs"]:
            yield Mark(found.start(), len(found["signs"]) - 1, _text(found["title"].rstrip().rstrip(b"#")))
        else:
            yield Mark(found.start(), 0 if found["under"][:1] == b"=" else 1, _text(found["over"]))


_RST: Final = re.compile(rb"^(?P<title>[^\s][^\n]*)\n(?P<under>([=~^\"'`#*+.:_-])\3{2,})[ \t\r]*$", re.MULTILINE)


def _restructured(text: bytes) -> Iterator[Mark]:
    """Titles are underlined; which character means which level is up to the file."""
    levels: dict[bytes, int] = {}
    for found in _RST.finditer(text):
        title = found["title"].rstrip()
        if len(found["under"]) >= len(title.decode("utf-8", "replace")) and re.search(rb"\w", title):
            yield Mark(found.start(), levels.setdefault(found["under"][:1], len(levels)), _text(title))


def _headed(pattern: re.Pattern[bytes], text: bytes) -> Iterator[Mark]:
    for found in pattern.finditer(text):
        yield Mark(found.start(), len(found[1]) - 1, _text(found[2]))


_PARTS: Final = (b"part", b"chapter", b"section", b"subsection", b"subsubsection")


def _latex(text: bytes) -> Iterator[Mark]:
    for found in re.finditer(rb"^[ \t]*\\(part|chapter|(?:sub){0,2}section)\*?\{([^}\n]*)\}", text, re.MULTILINE):
        yield Mark(found.start(), _PARTS.index(found[1]), _text(found[2]))


_YAML_KEY: Final = re.compile(rb"^( *)([A-Za-z_$][\w$./-]*|\"[^\"\n]+\"|'[^'\n]+')[ \t]*:(?=\s|\Z)", re.MULTILINE)
_JSON_KEY: Final = re.compile(rb'^([ \t]*)"((?:[^"\\\n]|\\.)*)"[ \t]*:', re.MULTILINE)


def _indented(pattern: re.Pattern[bytes], text: bytes) -> Iterator[Mark]:
    """Keys of the outermost indentation, and of the next one below each."""
    outer = inner = -1
    for found in pattern.finditer(text):
        indent = len(found[1])
        outer = indent if outer < 0 else outer
        if indent <= outer:
            inner = -1
            yield Mark(found.start(), 0, _text(found[2]), "key")
        elif inner in (-1, indent):
            inner = indent
            yield Mark(found.start(), 1, _text(found[2]), "key")


_TABLE: Final = rb"^[ \t]*\[+[ \t]*(?P<table>[^\]\n]+?)[ \t]*\]+"
_TOML: Final = re.compile(_TABLE + rb"|^[ \t]*(?P<key>[\w.-]+|\"[^\"\n]+\")[ \t]*=", re.MULTILINE)
_INI: Final = re.compile(_TABLE + rb"|^(?P<key>[^\s#;!=:\[][^=:\n]{0,200})[=:]", re.MULTILINE)


def _sectioned(pattern: re.Pattern[bytes], text: bytes) -> Iterator[Mark]:
    level = 0
    for found in pattern.finditer(text):
        if found["table"]:
            level = 1
            yield Mark(found.start(), 0, _text(found["table"]), "key")
        else:
            yield Mark(found.start(), level, _text(found["key"]), "key")


_WORDS: Final = {
    "class": ("class",),
    "struct": ("struct", "message", "record", "model"),
    "interface": ("interface", "service", "protocol"),
    "trait": ("trait",),
    "enum": ("enum",),
    "union": ("union",),
    "module": ("module", "library", "package"),
    "namespace": ("namespace",),
    "object": ("object", "resource", "data", "provider", "contract"),
    "type": ("type", "scalar", "input"),
    "function": (
        "def",
        "defn",
        "defun",
        "fn",
        "func",
        "fun",
        "function",
        "sub",
        "proc",
        "procedure",
        "rpc",
        "task",
        "rule",
    ),
    "macro": ("macro", "mixin", "defmacro"),
    "variable": ("variable", "output"),
}
_KIND_OF: Final = {word.encode(): kind for kind, words in _WORDS.items() for word in words}
_DECLARATION: Final = re.compile(
    rb"^(?P<indent>[ \t]*)[(@]?(?:(?:export|default|public|private|protected|internal|static|abstract|final|sealed|pub"
    rb"|async|open|override|partial|virtual|extern|inline|local|unsafe)[ \t]+)*"
    rb"(?P<word>" + b"|".join(sorted(_KIND_OF, reverse=True)) + rb")!?[ \t]+(?:\"[^\"\n]*\"[ \t]+)?"
    rb"(?P<name>\"[^\"\n]+\"|[A-Za-z_$][\w$:.!?-]*)"
    rb"(?=[ \t]*(?:[(\[{<:=;,]|\r?$|(?:extends|implements|is|as|where|begin|returns?)\b))",
    re.MULTILINE,
)


def _declarations(text: bytes) -> Iterator[Mark]:
    """Lines such as `service Search {` or `function open-door`, in any language; nesting by indentation."""
    around: list[int] = []
    for found in _DECLARATION.finditer(text):
        indent = len(found["indent"].expandtabs(4))
        while around and around[-1] >= indent:
            around.pop()
        yield Mark(found.start(), len(around), _text(found["name"].rstrip(b":")), _KIND_OF[found["word"]])
        around.append(indent)


def _text(name: bytes) -> str:
    return " ".join(name.decode("utf-8", "replace").split()).strip("\"'")


_FINDERS: Final[dict[str, Callable[[bytes], Iterable[Mark]]]] = {
    "markdown": _markdown,
    "restructuredtext": _restructured,
    "asciidoc": partial(_headed, re.compile(rb"^(={1,6})[ \t]+([^\n]+)", re.MULTILINE)),
    "org": partial(_headed, re.compile(rb"^(\*{1,6})[ \t]+([^\n]+)", re.MULTILINE)),
    "latex": _latex,
    "yaml": partial(_indented, _YAML_KEY),
    "json": partial(_indented, _JSON_KEY),
    "jsonc": partial(_indented, _JSON_KEY),
    "toml": partial(_sectioned, _TOML),
    "ini": partial(_sectioned, _INI),
    "properties": partial(_sectioned, _INI),
}
_UNSTRUCTURED: Final = frozenset(("plaintext", "csv", "diff", "ignore", "xml", "go.mod", "ninja", "asm", "llvm"))
