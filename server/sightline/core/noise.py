"""Paths that seldom hold the answer unless they are asked for: tests, examples, copies of others' code, the past."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
from typing import Final

from sightline.core.identifiers import stem

_FOLDERS: Final = {
    "test": r"tests?|Tests?|__tests__|specs?|testing|testdata|test[-_]?suite|fixtures?|mocks?|__mocks__|e2e|[a-z]+Test",
    "example": r"(?i:_?(?:examples?|samples?|demos?|docs?_src|tutorials?|benchmarks?|bench|playground))",
    "vendored": r"(?i:deps|vendor(?:ed)?|third[-_]?party|3rdparty|node_modules|externals?|generated|gen)",
    "legacy": r"(?i:_?compat|legacy|deprecat(?:ed|ions?)|old)",
}
_FILES: Final = {
    "test": r"test_.*|.*[_.-](?:test|spec|tests|mock)\.[^.]+|.*(?:Tests?|Spec|Suite|TestCase)\.[A-Za-z]+|conftest\.py"
    r"|test_?helpers?.*",
    "vendored": r"(?i:.*(?:\.min\.|\.generated\.|_pb2|\.pb\.|\.g\.).*)",
    "legacy": r"(?i:.*(?:_legacy\.|_deprecated\.|[._-]compat\.).*)",
    "prose": r"(?i:(?!cmakelists|requirements|constraints).*\.(?:md|markdown|mdx|rst|adoc|asciidoc|txt)"
    r"|readme|licen[cs]e|copying|authors|notice|change(?:s|log)|contributing|news)",
}
KINDS: Final = ("test", "example", "vendored", "legacy", "prose")

_ASKED_BY: Final = {
    "test": "test testing spec mock fixture assert assertion benchmark bench stub",
    "example": "example sample demo benchmark bench tutorial playground",
    "vendored": "vendor vendored",
    "legacy": "legacy deprecated deprecation compat compatibility old",
    "prose": "doc documentation readme changelog guide tutorial manual license contributing markdown faq",
}

_FOLDER: Final = {kind: re.compile(rf"(?:^|/)(?:{pattern})/") for kind, pattern in _FOLDERS.items()}
_FILE: Final = {kind: re.compile(pattern) for kind, pattern in _FILES.items()}
_VERSION: Final = re.compile(r"(?:^|(?<=/))v([0-9]{1,4})/")
_ASKS: Final = {kind: frozenset(map(stem, words.split())) for kind, words in _ASKED_BY.items()}


@lru_cache(maxsize=16384)
def kinds(path: str) -> frozenset[str]:
    """Which kinds of noise a path shows."""
    name = path.rpartition("/")[2]
    folders = {kind for kind, pattern in _FOLDER.items() if pattern.search(path)}
    return frozenset(folders | {kind for kind, pattern in _FILE.items() if pattern.fullmatch(name)})


def asked(terms: Iterable[str]) -> frozenset[str]:
    """The kinds of noise, and the versions (`v3`), that a query's terms ask for."""
    given = frozenset(terms)
    versions = {term[1:] for term in given if re.fullmatch("=v[0-9]+", term)}
    return frozenset(kind for kind, words in _ASKS.items() if words & given) | versions


def outdated(paths: Iterable[str]) -> frozenset[str]:
    """The folders `.../vN/` among the paths that have a higher version beside them."""
    newest: dict[str, int] = {}
    found: set[tuple[str, int, str]] = set()
    for path in paths:
        for version in _VERSION.finditer(path):
            beside, number = path[: version.start()], int(version[1])
            newest[beside] = max(newest.get(beside, 0), number)
            found.add((beside, number, path[: version.end()]))
    return frozenset(folder for beside, number, folder in found if number < newest[beside])


def noisy(path: str, wanted: frozenset[str] = frozenset(), old: frozenset[str] = frozenset()) -> bool:
    """Whether a path is noise to a query that asked for the `wanted`, given the `old` folders."""
    if kinds(path) - wanted:
        return True
    versions = _VERSION.finditer(path) if old else ()
    return any(path[: version.end()] in old and f"v{version[1]}" not in wanted for version in versions)
