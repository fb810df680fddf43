"""Globs mean what a plain matcher says, whatever stands in them."""

from __future__ import annotations

import re
from itertools import product, zip_longest

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from sightline.core.globs import LONGEST_GLOB, MOST_ALTERNATIVES, file_glob, glob_to_regex, path_glob, plain, rooted

PIECES = st.sampled_from(
    (
        *"ab.-é//*?{}[],^$(|+\\",
        *("**", "**/", "/**", "[ab]", "[!a]", "[a-c]", "[+-9]", "[z-a]", "[.-]", "[[~]", "&&"),
        *("{a,b}", "{,/**}", "{a/b,{*,c}}", "{a}"),
    )
)
GLOBS = st.lists(PIECES, max_size=7).map("".join)
SEGMENTS = st.text("abc.-é,^$(|+[]{}*9 ", min_size=1, max_size=4)
PATHS = st.lists(SEGMENTS, min_size=1, max_size=5).map("/".join)


def matches(glob: str, path: str) -> bool:
    return re.fullmatch(glob_to_regex(glob), path) is not None


def slow_match(glob: str, path: str) -> bool:
    """What the documentation of `glob_to_regex` says, word by word."""
    segments = path.split("/")
    return any(slow_segments(choice, segments) for choice in slow_braces(glob.replace("\\", "/")))


def slow_braces(glob: str) -> list[str]:
    """Braces with a comma are opened; others are marked with < and > until all are."""
    inner = re.search(r"\{([^{}]*)\}", glob)
    if inner is None:
        return [glob.replace("<", "{").replace(">", "}")]
    choices = inner[1].split(",") if "," in inner[1] else [f"<{inner[1]}>"]
    return [full for choice in choices for full in slow_braces(glob[: inner.start()] + choice + glob[inner.end() :])]


def slow_segments(glob: str, path: list[str]) -> bool:
    parts = [part for part in glob.split("/") if part not in ("", ".")] + ["**"] * glob.endswith("/")
    wanted = [part for part, following in zip_longest(parts, parts[1:]) if not part == following == "**"]

    def at(i: int, j: int) -> bool:
        if i == len(wanted):
            return j == len(path)
        if wanted[i] == "**":
            least = j + (i == len(wanted) - 1)
            return any(at(i + 1, k) for k in range(least, len(path) + 1))
        return j < len(path) and slow_segment(wanted[i], path[j]) and at(i + 1, j + 1)

    return at(0, 0)


def slow_segment(glob: str, text: str) -> bool:
    if not glob:
        return not text
    if glob[0] == "*":
        return any(slow_segment(glob[1:], text[k:]) for k in range(len(text) + 1))
    members = re.match(r"\[([!^]?)([^\]]+)\]", glob)
    if members is not None:
        allowed = slow_class(members[2])
        if allowed is not None:
            is_in = bool(text) and any(low <= text[0] <= high for low, high in allowed)
            return bool(text) and is_in != bool(members[1]) and slow_segment(glob[members.end() :], text[1:])
        return text.startswith(members[0]) and slow_segment(glob[members.end() :], text[members.end() :])
    return bool(text) and glob[0] in ("?", text[0]) and slow_segment(glob[1:], text[1:])


def slow_class(members: str) -> list[tuple[str, str]] | None:
    """The ranges of a class, or None if one runs backwards."""
    ranges: list[tuple[str, str]] = []
    while members:
        is_range = len(members) > 2 and members[1] == "-"
        ranges.append((members[0], members[2] if is_range else members[0]))
        members = members[3:] if is_range else members[1:]
    return None if any(low > high for low, high in ranges) else ranges


@given(GLOBS, PATHS)
@example("**/a/**", "a/b")
@example("a/**/**/b", "a/b")
@example("**/**", "a")
@example("*/**/", "9/9")
@example("", "a")
def test_a_regex_matches_what_the_glob_says(glob: str, path: str) -> None:
    assert matches(glob, path) == slow_match(glob, path)


@given(GLOBS)
def test_a_glob_without_wildcards_matches_itself(glob: str) -> None:
    plain = "/".join(part for part in re.sub(r"[*?\[{\\]", "", glob).split("/") if part not in ("", "."))
    assert not plain or matches(plain, plain)


@pytest.mark.parametrize("char", ["\n", "/", "\0"])
def test_the_whole_path_has_to_match(char: str) -> None:
    assert not matches("a", "a" + char)
    assert not matches("a", char + "a")


@pytest.mark.parametrize(
    "glob", ["{a,b}" * 500, "{" * 5000 + "a,b" + "}" * 5000, "{a,b}{c,d}" * 40, "[" * 5000, "*" * 5000, "**/" * 2000]
)
def test_a_hostile_glob_stays_small(glob: str) -> None:
    regex = glob_to_regex(glob)
    re.compile(regex)
    assert len(regex) < 4 * MOST_ALTERNATIVES * LONGEST_GLOB


VALUES = {
    "src/api": ("src/api src/api/x.py lib/src/api lib/src/api/x.py", "src/apix src/x/api xsrc/api src"),
    "src/api/": ("src/api/x.py lib/src/api/x.py", "src/api lib/src/api src/apix/y"),
    "/src": ("src src/x.py", "lib/src/x.py"),
    "./src/api": ("src/api/x.py", "lib/src/api/x.py"),
    "src\\api": ("src/api/x.py lib/src/api", "src/apix"),
    "src/**": ("src/a src/a/b", "src lib/src/a"),
    "src/*": ("src/a src/a/b", "src lib/src/a"),
    "**/api/*.py": ("api/x.py a/api/x.py", "api/x/y.py api/x.js"),
    "*.py": ("x.py a/b/x.py", "x.pyc x.py~"),
    "test*": ("tests/x.py a/test_x.py", "latest/x.py"),
    "**": ("a a/b", ""),
    "/": ("a a/b", ""),
    ".": ("a a/b", ""),
    "{src,lib}": ("src/x lib/x a/lib", "srclib/x"),
    "my dir": ("my dir/x a/my dir", "my/dir"),
}


@pytest.mark.parametrize(
    ("value", "path", "found"),
    [(value, path, found) for value, sides in VALUES.items() for found, side in zip((True, False), sides, strict=True)
     for path in (["my dir/x", "a/my dir"] if value == "my dir" and found else side.split())],
)  # fmt: skip
def test_a_path_value_finds_what_it_names_and_all_below(value: str, path: str, found: bool) -> None:
    assert matches(path_glob(value), path) is found


@given(GLOBS)
def test_a_glob_of_a_path_value_is_a_path_value_of_that_glob(value: str) -> None:
    assert path_glob(path_glob(value)) == path_glob(value)


@pytest.mark.parametrize(
    ("value", "found", "missed"),
    [
        ("*.py", "x.py a/x.py", "x.pyc x.py/a"),
        ("ranking", "ranking ranking.py a/ranking.test.py", "rankings.py ranking/x.py"),
        ("Makefile", "Makefile a/Makefile a/Makefile.am", "makefile"),
        ("conf.py", "conf.py docs/conf.py", "conf.pyi conf.py.txt xconf.py"),
        ("test_?.{py,js}", "test_a.py a/test_b.js", "test_ab.py"),
        ("api/x.py", "api/x.py src/api/x.py", "x.py"),
    ],
)
def test_a_file_value_is_a_base_name_anywhere(value: str, found: str, missed: str) -> None:
    for path, expected in [*product(found.split(), [True]), *product(missed.split(), [False])]:
        assert matches(file_glob(value), path) is expected, path


@pytest.mark.parametrize(
    ("value", "root", "path"),
    [
        ("/home/ada/shop/src", "/home/ada/shop", "src/x.py"),
        ("/home/ada/shop/src/", "/home/ada/shop", "src/x.py"),
        ("/home/ada/shop/src/*.py", "/home/ada/shop", "src/x.py"),
        ("//home/ada/./shop/src", "/home/ada/shop", "src/x.py"),
        ("/home/ada/[shop]/src", "/home/ada/[shop]", "src/x.py"),
        ("/home/ada/shop", "/home/ada/shop", "x.py"),
        ("/home/ada/shop/", "/home/ada/shop", "src/x.py"),
        ("/src", "/", "src/x.py"),
    ],
)
def test_an_absolute_path_is_one_below_its_root(value: str, root: str, path: str) -> None:
    glob = rooted(path_glob(value), root)
    assert matches(glob, path)
    assert not matches(glob, f"lib/{path}") or glob == "**"


@pytest.mark.parametrize(
    "value", ["/home/ada/shopping", "/home/ada", "home/ada/shop/src", "**", "/", "./home/ada/shop"]
)
def test_what_is_not_below_a_root_is_nothing_there(value: str) -> None:
    assert rooted(path_glob(value), "/home/ada/shop") == ""


@pytest.mark.parametrize("value", ["/src/api", "/src/*.py"])
def test_a_glob_tells_the_value_that_it_is_of(value: str) -> None:
    assert plain(path_glob(value)) == value
