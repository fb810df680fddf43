"""The query box: words, exact text and filters out of one line.

    where are sessions persisted lang:py,js -path:tests "raise NotFound"

- `lang:` and `kind:` name what a hit may be; `path:` and `file:` are globs (see `globs`). Values are separated by
  commas, each may be quoted; the same key again widens, another key narrows.
- `changed:` alone stands for files that differ from the default branch, `changed:REF` for those that differ from REF.
- `project:` names the projects to search, by name or id, instead of the folder that is open.
- `-` before a filter or before quotes excludes.
- `"..."` at the start of a word is text that a hit must contain, letter by letter; its words count for ranking too.
  `\\"` is a quote in it. A missing quote at the end is one still to be typed, so the rest of the line belongs to it.
- Everything else is text, also what only looks like a filter: `std::vector`, `http://x`, `foo:bar`. A key is an error
  if it is a slip of one of ours (`lnag:`) or another tool's name for it (`language:`).
"""

from __future__ import annotations

import difflib
import re
import string
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from sightline.core import languages
from sightline.core.globs import file_glob, glob_to_regex, path_glob, plain, rooted
from sightline.core.identifiers import STOP_WORDS, WORD_PATTERN, folded, split, stem, terms
from sightline.core.model import KINDS, Filters, Identifier, Query
from sightline.errors import QueryError

NO_FILTERS: Final = Filters()
MOST_WORDS: Final = 100
MOST_IDENTIFIERS: Final = 8

_QUOTED: Final = r'"((?:[^"\\]|\\.|\\\Z)*)(?:"|\Z)'
_TOKEN: Final = re.compile(rf'(-?){_QUOTED}|(-?)([a-z]+):(?!:|//)((?:{_QUOTED}|[^\s"])*)|\S+', re.DOTALL)
_VALUE_PART: Final = re.compile(rf"{_QUOTED}|(.)", re.DOTALL)
_ESCAPED: Final = re.compile(r'\\(["\\])')
_WORD: Final = re.compile(WORD_PATTERN)
_NAME: Final = r"[^\W\d][\w$]*"
_NAMES: Final = re.compile(rf"{_NAME}(?:(?:::|->|[.#\\]){_NAME})*")
_QUALIFIER: Final = re.compile(r"::|->|[.#\\/]")
_TAIL: Final = re.compile(r"[(<\[{].*", re.DOTALL)
_EDGES: Final = string.punctuation.replace("_", "")
_ITSELF: Final = frozenset(("self", "this", "cls", "super", "crate"))
_EXTENSIONS: Final = frozenset((
    "bash", "c", "cc", "cpp", "cs", "css", "dart", "ex", "exs", "go", "h", "hpp", "hs", "html", "java", "js",
    "json", "jsx", "kt", "lua", "md", "php", "py", "rb", "rs", "scala", "sh", "sql", "swift", "toml", "ts", "tsx",
    "yaml", "yml", "zig",
))  # fmt: skip
"""`session.py` asks for session, not for the `py` of a session."""

_SHORT_KINDS: Final = {"fn": "function", "func": "function", "def": "function", "const": "constant", "var": "variable"}

_DIALECTS: Final = {"javascript": ("javascriptreact",), "typescript": ("typescriptreact",)}
"""Languages of their own to editors; whoever says `lang:ts` means them too."""


@dataclass(frozen=True, slots=True)
class _Key:
    """How a filter's value is read, and the fields of `Filters` that take it."""

    read: Callable[[str], tuple[str, ...]]
    wanted: str
    unwanted: str
    alone: str | None = None
    """The value that the key has without one."""


def _language(value: str) -> tuple[str, ...]:
    language = languages.resolve(value)
    if language is None:
        known = [name for each in languages.LANGUAGES for name in (each.id, *each.aliases)]
        raise QueryError(f'unknown language "{value}"', hint=_suggestion(value, known))
    return language.id, *_DIALECTS.get(language.id, ())


def _kind(value: str) -> tuple[str]:
    kind = _SHORT_KINDS.get(value.lower(), value.lower())
    if kind not in KINDS:
        raise QueryError(
            f'unknown kind "{value}"', hint=_suggestion(kind, KINDS) or f"The kinds are {', '.join(KINDS)}."
        )
    return (kind,)


_KEYS: Final[Mapping[str, _Key]] = {
    "lang": _Key(_language, "languages", "not_languages"),
    "kind": _Key(_kind, "kinds", "not_kinds"),
    "path": _Key(lambda value: (path_glob(value),), "include", "exclude"),
    "file": _Key(lambda value: (file_glob(value),), "files", "exclude"),
    "changed": _Key(lambda value: ("" if value.lower() == "yes" else value,), "changed", "not_changed", "yes"),
    "project": _Key(lambda value: (value,), "projects", "not_projects"),
}
KEYS: Final = tuple(_KEYS)

_OTHER_TOOLS: Final = {
    "dir": "path", "directory": "path", "ext": "file", "extension": "file", "filename": "file",
    "folder": "path", "language": "lang", "languages": "lang", "projects": "project", "repo": "project",
}  # fmt: skip
"""Keys that nobody means as text, and ours for them."""


def parse(text: str) -> Query:
    """What the line asks for; raises QueryError for a filter that is none."""
    words: list[str] = []
    filters: dict[str, list[str]] = {}
    for token in _TOKEN.finditer(_storable(text)):
        exact_sign, exact, sign, key, value, _ = token.groups()
        if exact is not None:
            _add_exact(_unescaped(exact), bool(exact_sign), words, filters)
        elif key is not None and _is_filter(key):
            known = _KEYS[key]
            field = known.unwanted if sign else known.wanted
            read = [name for each in _values(key, value or known.alone or "") for name in known.read(each)]
            filters.setdefault(field, []).extend(read)
        else:
            words.append(token[0])
    return of_text(" ".join(words), Filters(**{field: tuple(dict.fromkeys(each)) for field, each in filters.items()}))


def of_text(text: str, filters: Filters = NO_FILTERS) -> Query:
    """The query of plain text, such as a selection whose like is wanted."""
    return Query(text, _query_terms(text), _identifiers(text), filters)


def path_regexes(filters: Filters) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Regular expressions that a path must all match, and those of which it may match none."""
    wanted = [globs for globs in (filters.include, filters.files, filters.within) if globs]
    return tuple(map(_either, wanted)), ((_either(filters.exclude),) if filters.exclude else ())


def seen_from(filters: Filters, roots: Sequence[str]) -> Filters:
    """The filters, where absolute paths below one of the roots stand for what they name there as well."""
    own = [[found for root in roots for each in globs if (found := rooted(each, root))]
           for globs in (filters.include, filters.exclude)]  # fmt: skip
    if not any(own):
        return filters
    return replace(filters, include=(*filters.include, *own[0]), exclude=(*filters.exclude, *own[1]))


def outside(filters: Filters, roots: Sequence[str]) -> tuple[str, ...]:
    """Wanted paths that begin with `/` and are below none of the roots."""
    own = [each for each in filters.include if each.startswith("/") and not any(rooted(each, root) for root in roots)]
    return tuple(map(plain, own))


def _either(globs: Iterable[str]) -> str:
    return "|".join(map(glob_to_regex, globs))


def _storable(text: str) -> str:
    """The text without what UTF-8 or Postgres cannot hold: lone surrogates and NUL."""
    return text.encode("utf-8", "ignore").decode("utf-8").replace("\0", " ")


def _unescaped(text: str) -> str:
    return _ESCAPED.sub(r"\1", text)


def _add_exact(exact: str, excluded: bool, words: list[str], filters: dict[str, list[str]]) -> None:
    """Blank text is a quote that has just been opened."""
    if exact.strip():
        filters.setdefault("not_exact" if excluded else "exact", []).append(exact)
        if not excluded:
            words.append(exact)


def _is_filter(key: str) -> bool:
    """Whether a key is ours; raises QueryError if it can only be meant as one."""
    if key in _KEYS:
        return True
    meant = _OTHER_TOOLS.get(key)
    if meant is None:
        near = difflib.get_close_matches(key, KEYS, n=1, cutoff=0.75)
        # `find:x`, `bind:x` and `math:x` are code; a slip seldom hits the first letter.
        if not near or near[0][0] != key[0]:
            return False
        meant = near[0]
    known = ", ".join(f"{each}:" for each in KEYS)
    question = f"Did you mean {meant}:? " if meant else ""
    raise QueryError(f"unknown filter {key}:", hint=f"{question}The filters are {known}; quotes make it text.")


def _values(key: str, raw: str) -> list[str]:
    """The values between commas, without their quotes; commas in quotes, braces and brackets part nothing."""
    values: list[list[str]] = [[]]
    depth = 0
    for part in _VALUE_PART.finditer(raw):
        quoted, char = part.groups()
        if quoted is not None:
            values[-1].append(_unescaped(quoted))
            continue
        depth = max(0, depth + (char in "[{") - (char in "]}"))
        if char == "," and not depth:
            values.append([])
        else:
            values[-1].append(char)
    given = [value for pieces in values if (value := "".join(pieces).strip())]
    if not given:
        raise QueryError(f"{key}: needs a value", hint=f'Write it right behind the colon; "{key}:" in quotes is text.')
    return given


def _suggestion(value: str, known: Iterable[str]) -> str:
    near = difflib.get_close_matches(value.lower(), known, n=1)
    return f"Did you mean {near[0]}?" if near else ""


def _query_terms(text: str) -> tuple[str, ...]:
    """Distinct terms, without stop words unless there is nothing else."""
    words = list(dict.fromkeys(_WORD.findall(text)))[:MOST_WORDS]
    telling = [term for word in words for term in _telling_terms(word)]
    found = telling or [term for word in words for term in terms(word)]
    return tuple(dict.fromkeys(found))


def _telling_terms(word: str) -> list[str]:
    """Stop words are told by their full form: `during` is one, `dur`, its stem, is not."""
    idle = {stem(part) for part in split(word) if part in STOP_WORDS}
    return [term for term in terms(word) if term not in idle]


def _identifiers(text: str) -> tuple[Identifier, ...]:
    """The names in the text; a single word is one, whatever it looks like."""
    if len(text.split()) == 1:
        whole = text.strip()
        found = [_identifier(_TAIL.sub("", whole) or whole)]
    else:
        found = [_identifier(name[0]) for name in _NAMES.finditer(text) if _looks_like_code(name)]
    return tuple(dict.fromkeys(each for each in found if each is not None))[:MOST_IDENTIFIERS]


def _looks_like_code(name: re.Match[str]) -> bool:
    """Whether no prose is written so: joined or mixed letters, a capital in mid-sentence; `HTTP`, `X11` are prose."""
    word = name[0]
    if len(word) == 1 or word.lower() in STOP_WORDS:
        return False
    if "_" in word or _QUALIFIER.search(word):
        return True
    if word.isupper():
        return False
    if any(char.isupper() or char.isdigit() for char in word[1:]):
        return True
    before = name.string[max(0, name.start() - 8) : name.start()].rstrip()
    return word[0].isupper() and before != "" and before[-1] not in ".?!:"


def _identifier(word: str) -> Identifier | None:
    """`std::Session.get` has name `get`, qualifier `std.Session`."""
    parts = [part.strip(_EDGES) for part in _QUALIFIER.split(word) if folded(part)]
    if len(parts) > 1 and parts[-1] in _EXTENSIONS:
        parts.pop()
    if parts and parts[0] in _ITSELF and len(parts) > 1:
        parts.pop(0)
    return Identifier(parts[-1], ".".join(parts[:-1])) if parts else None
