"""Globs of paths as regular expressions that Python and Postgres read alike."""

from __future__ import annotations

import re
from typing import Final

LONGEST_GLOB: Final = 1000
MOST_ALTERNATIVES: Final = 256
"""Braces that would multiply beyond this, or stand in a longer glob, are taken as they stand."""

_AND_BELOW: Final = "{,/**}"
_WILD: Final = re.compile(r"[*?\[{]")
_SPECIAL: Final = re.compile(r"[*?\[{}]")
_INNERMOST: Final = re.compile(r"\{([^{}]*)\}")
# No clean text holds a lone surrogate, so these can stand for braces that group nothing.
_OPEN, _CLOSE = "\ud800", "\udbff"
_TOKEN: Final = re.compile(r"(\*+)|(\?)|\[([!^]?)([^\]]+)\]|(.)", re.DOTALL)
_MEMBER: Final = re.compile(r"(.)-(.)|(.)", re.DOTALL)


def glob_to_regex(glob: str) -> str:
    """A regular expression for whole paths whose segments are parted by `/`.

    `**` as a segment stands for any number of segments (at least one at the end), `*` and `?` stay within a segment,
    `[a-z]` and `[!a-z]` are one character of it, `{a,b}` is either, `\\` is `/`. A `/` or `./` in front changes
    nothing, a `/` at the end means everything below. Dots are not special and the case of letters counts. What is no
    wildcard after all (`[a`, `{a}`, `[z-a]`) stands for itself.
    """
    alternatives = dict.fromkeys(_path_regex(plain) for plain in _expand(glob.replace("\\", "/")))
    return f"^(?:{'|'.join(alternatives)})$"


def path_glob(value: str) -> str:
    """The glob of a `path:` value, which finds what it matches and all below.

    Plain segments match anywhere (`src/api` finds `src/api/x.py` and `lib/src/api`, not `src/apix`), as does a
    wildcard without `/`. A wildcard with `/` begins at the root, as does all that begins with `/`, which stays in front.
    """
    value = value.replace("\\", "/")
    trimmed = "/".join(_segments(value)) or "**"
    if trimmed == "**":
        return trimmed
    top = "/" if value.startswith("/") else ""
    if trimmed.endswith(("/**", _AND_BELOW)):
        return top + trimmed
    anywhere = not value.startswith(("/", "./")) and not ("/" in trimmed and _WILD.search(trimmed))
    return ("**/" if anywhere else top) + trimmed + ("/**" if value.endswith("/") else _AND_BELOW)


def rooted(glob: str, root: str) -> str:
    """The glob of an absolute path as one of paths below `root`; "" for one of another place."""
    top = root.rstrip("/")
    if not glob.startswith(top + "/") and glob != top + _AND_BELOW:
        return ""
    rest = glob.removeprefix(top)
    return "**" if rest in ("/**", _AND_BELOW) else rest


def plain(glob: str) -> str:
    """The value that `path_glob` made a glob of."""
    return glob.removesuffix(_AND_BELOW).removesuffix("/**")


def below(path: str) -> str:
    """The glob of a path and of all below it, whatever its characters; braces, which cannot be escaped, are any one."""
    return _SPECIAL.sub(lambda found: "?" if found[0] in "{}" else f"[{found[0]}]", path) + _AND_BELOW


def file_glob(value: str) -> str:
    """The glob of a `file:` value: a base name anywhere; a plain one without a dot finds it with any extension."""
    value = value.replace("\\", "/").strip("/")
    plain = "." not in value and not _WILD.search(value)
    return f"**/{value}{{,.*}}" if plain else f"**/{value}"


def _expand(glob: str) -> list[str]:
    """The globs without braces that this one stands for; from the inside, so that no nesting is too deep."""
    found = [glob]
    while len(glob) <= LONGEST_GLOB:
        opened = list(dict.fromkeys(choice for each in found for choice in _open_innermost(each)))
        if opened == found or len(opened) > MOST_ALTERNATIVES:
            break
        found = opened
    return [each.replace(_OPEN, "{").replace(_CLOSE, "}") for each in found]


def _open_innermost(glob: str) -> list[str]:
    brace = _INNERMOST.search(glob)
    if brace is None:
        return [glob]
    choices = brace[1].split(",") if "," in brace[1] else [_OPEN + brace[1] + _CLOSE]
    return [glob[: brace.start()] + choice + glob[brace.end() :] for choice in choices]


def _path_regex(glob: str) -> str:
    """The regular expression of a glob without braces, not anchored."""
    segments = _segments(glob)
    if glob.endswith("/"):
        segments.append("**")
    regex = ""
    for place, segment in enumerate(segments, start=1):
        if segment != "**":
            regex += _segment_regex(segment) + ("/" if place < len(segments) else "")
        elif place == len(segments):
            regex += "(?:[^/]+/)*[^/]+"
        elif segments[place] != "**":
            regex += "(?:[^/]+/)*"
    return regex


def _segments(glob: str) -> list[str]:
    return [segment for segment in glob.split("/") if segment not in ("", ".")]


def _segment_regex(segment: str) -> str:
    regex = ""
    for stars, mark, negation, members, char in _TOKEN.findall(segment):
        if stars:
            regex += "[^/]*"
        elif mark:
            regex += "[^/]"
        elif members:
            regex += _class_regex(negation, members) or re.escape(f"[{negation}{members}]")
        else:
            regex += re.escape(char)
    return regex


def _class_regex(negation: str, members: str) -> str:
    """The bracket expression, with ranges cut so that none holds `/`; empty if a range runs backwards."""
    inside = ""
    for low, high, single in _MEMBER.findall(members):
        if single:
            inside += _member(single)
        elif low > high:
            return ""
        elif low <= "/" <= high:
            inside += _range(low, ".") + _range("0", high)
        else:
            inside += _range(low, high)
    return f"[^{inside}/]" if negation else f"[{inside}]"


def _range(low: str, high: str) -> str:
    return f"{_member(low)}-{_member(high)}" if low <= high else ""


def _member(char: str) -> str:
    """The character between brackets; a backslash before punctuation is literal in both dialects."""
    return "\\" + char if char.isascii() and not char.isalnum() else char
