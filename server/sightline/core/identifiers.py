"""Words of code and of paths, cut into the stemmed sub-words that the index and the ranker compare."""

from __future__ import annotations

import itertools
import re
import unicodedata
from collections.abc import Iterator
from typing import Final

WORD_PATTERN: Final = r"[^\x00-@\[-^`{-\x7f][^\x00-/:-@\[-^`{-\x7f]*|[0-9]+"
"""An ASCII letter, `_` or anything beyond ASCII, then digits too; or digits alone.

Written by exclusion so that it means the same in a pattern of UTF-8 bytes. What is beyond ASCII and no letter
(dashes, quotes, full-width stops) is cut away by `terms`.
"""

STOP_WORDS: Final = frozenset((
    "a", "about", "across", "all", "an", "and", "any", "are", "as", "at", "be", "between", "but", "by", "can",
    "could", "do", "does", "during", "each", "for", "from", "given", "has", "have", "how", "i", "if", "in", "into",
    "is", "it", "its", "let", "lets", "me", "my", "no", "not", "of", "on", "one", "or", "our", "per", "should",
    "so", "such", "than", "that", "the", "their", "them", "then", "there", "these", "they", "this", "those", "to",
    "use", "used", "uses", "using", "via", "was", "we", "were", "what", "when", "where", "which", "who", "why",
    "will", "with", "within", "without", "would", "you", "your",
))  # fmt: skip
"""English function words that say nothing in a query."""

LONGEST_WORD: Final = 128
"""Longer runs of ASCII are data (base64, hashes), and a term has to fit a Postgres index."""
LONGEST_PART: Final = 64

_WORD: Final = re.compile(WORD_PATTERN)
# `URLs` and `IDs` stay whole; otherwise the last capital of a run begins the next sub-word.
_PART_PATTERN: Final = r"[A-Z]{2,}s(?![a-z])|[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z]+|[A-Z]+|[0-9]+"
_PART: Final = re.compile(_PART_PATTERN)
_SHADOW_PART: Final = re.compile(_PART_PATTERN + "|~+")
# Chinese, Japanese and Korean are written in long runs, so that single words are found only by pairs of letters.
_UNSPACED: Final = re.compile("[\u2e80-\u9fff\uac00-\ud7af\uf900-\ufaff\U00020000-\U0003ffff]{3,}")
_NO_LETTER_OR_DIGIT: Final = re.compile(r"[\W_]+", re.ASCII)
_NAMELESS_STEMS: Final = frozenset(("mod", "index", "init", "__init__", "lib", "main"))


def split(word: str) -> tuple[str, ...]:
    """The lower-cased sub-words of a name: `parseJSONConfig`, `parse_json_config` and `parse-json-config` are equal."""
    if word.isascii():
        return tuple([part.lower() for part in _PART.findall(word)])
    word = unicodedata.normalize("NFKC", word)
    spans = [match.span() for match in _SHADOW_PART.finditer(_shadow(word))]
    return tuple([word[start:end].lower() for start, end in spans])


def stem(word: str) -> str:
    """The word without its English ending; light, since `-er` and `-ation` carry meaning in code."""
    if len(word) <= 3 or word.isdigit():
        return word
    word = _without_plural(word)
    if word.endswith(("ied", "ie")) and len(word) > 4:
        return word.removesuffix("d")[:-2] + "y"
    if word.endswith("ing") and len(word) > 5:
        word = word[:-3]
    elif word.endswith("ed") and len(word) > 4:
        word = word[:-2]
    if len(word) > 3 and word[-1] == word[-2] and word[-1] not in "lsz":
        word = word[:-1]
    return word[:-1] if word.endswith("e") and len(word) > 3 else word


def terms(word: str) -> tuple[str, ...]:
    """The index terms of one match of `WORD_PATTERN`: stemmed sub-words and, of a compound, `=joined`."""
    return tuple([term for run in _runs(word) for term in _run_terms(run)])


def text_terms(text: str) -> list[str]:
    """The terms of all words of a text, in order."""
    return [term for word in _WORD.findall(text) for term in terms(word)]


def stem_words(path: str) -> tuple[str, ...]:
    """What a query must mention to cover the file's name, sorted: `index`, `__init__` and the like add their folder."""
    name = file_stem(path)
    folder = path.rpartition("/")[0].rpartition("/")[2] if name.lower() in _NAMELESS_STEMS else ""
    return name_words(f"{name} {folder}")


def name_words(name: str) -> tuple[str, ...]:
    """The distinct stems of a name's sub-words, sorted, without compounds."""
    return tuple(sorted({part for word in _WORD.findall(name) for run in _runs(word) for part in _stems(split(run))}))


def file_stem(path: str) -> str:
    """The file's name without its last extension; a leading dot begins no extension."""
    base = path.rpartition("/")[2]
    return base.rpartition(".")[0] if "." in base[1:] else base


def folded(name: str) -> str:
    """Letters and digits only, lower case: what two spellings of one name share."""
    if name.isascii():
        return _NO_LETTER_OR_DIGIT.sub("", name).lower()
    name = unicodedata.normalize("NFKC", name).casefold()
    name = "".join([char for char in unicodedata.normalize("NFKD", name) if unicodedata.category(char)[0] in "LNM"])
    return unicodedata.normalize("NFKC", name)


def initials(name: str) -> str:
    """The first letters of a name's sub-words: `pjc` for `parseJsonConfig`."""
    return "".join(part[0] for part in split(name))


def _without_plural(word: str) -> str:
    if word.endswith("ies") and len(word) > 4:
        return word[:-3] + "y"
    if word.endswith("sses"):
        return word[:-2]
    if word.endswith("es") and len(word) > 4 and word[-3] in "sxzh":
        return word[:-2]
    return word[:-1] if word.endswith("s") and word[-2] not in "sui" else word


def _runs(word: str) -> list[str]:
    """The word, cut where something beyond ASCII is no letter; in NFKC, since macOS decomposes file names."""
    if word.isascii():
        return [word]
    return "".join([char if _joins(char) else " " for char in unicodedata.normalize("NFKC", word)]).split()


def _joins(char: str) -> bool:
    return char == "_" or unicodedata.category(char)[0] in "LNM"


def _run_terms(run: str) -> list[str]:
    if len(run) > LONGEST_WORD and run.isascii():
        return []
    parts = split(run)
    found = list(_stems(parts))
    if len(parts) > 1 and sum(map(len, parts)) <= LONGEST_WORD:
        found.append("=" + "".join(parts))
    return found


def _stems(parts: tuple[str, ...]) -> Iterator[str]:
    for part in parts:
        if not part.isascii() and _UNSPACED.fullmatch(part):
            yield from map("".join, itertools.pairwise(part))
        elif len(part) <= LONGEST_PART:
            yield stem(part)


def _shadow(word: str) -> str:
    """One ASCII character for each of `word`: A upper, a lower, 0 digit, ~ letter without case, blank otherwise."""
    shadow: list[str] = []
    for char in word:
        family = unicodedata.category(char)[0]
        if family == "M" and shadow:
            shadow.append(shadow[-1])
        elif char.isdecimal():
            shadow.append("0")
        elif char.isupper() or char.islower():
            shadow.append("A" if char.isupper() else "a")
        else:
            shadow.append("~" if family in "LNM" else " ")
    return "".join(shadow)
