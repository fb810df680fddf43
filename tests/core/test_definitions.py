"""Definitions are found in every language, with their container, lines, signature and documentation."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from tree_sitter import Query

from core.goldens import SAMPLES, golden_of, name_of, outline_of
from sightline.core import chunking, definitions, grammars, patterns
from sightline.core.languages import LANGUAGES, Language
from sightline.core.model import KINDS, Definition

PARSED = [language for language in LANGUAGES if language.grammar]


def define(path: str, source: str) -> list[Definition]:
    return [each for chunk in chunking.parse(path, source.encode()).chunks for each in chunk.definitions]


def check(path: str, source: str, expected: str) -> None:
    """`expected` has a line `kind container.name` for each definition."""
    found = [f"{each.kind} {each.container}.{each.name}".replace(" .", " ") for each in define(path, source)]
    assert found == [line.strip() for line in expected.strip().splitlines()]


@pytest.mark.parametrize("sample", SAMPLES, ids=name_of)
def test_what_a_file_defines_is_as_expected(sample: Path) -> None:
    assert outline_of(sample) == golden_of(sample).read_text(encoding="utf-8")


@pytest.mark.parametrize("language", PARSED, ids=lambda language: language.id)
def test_every_pattern_names_nodes_that_its_grammar_has(language: Language) -> None:
    grammar = grammars.load(language.grammar)
    assert grammar is not None
    for pattern in patterns.split("\n".join(map(patterns.text_of, language.queries))):
        Query(grammar, pattern)  # raises for what cannot be
        code = re.sub(r'"(?:[^"\\]|\\.)*"', "", pattern)
        for kind in re.findall(r"\(([a-z]\w*)", code):
            assert grammar.id_for_node_kind(kind, True) is not None, f"{kind} in {pattern}"


@pytest.mark.parametrize("language", PARSED, ids=lambda language: language.id)
def test_every_pattern_says_what_it_finds_and_what_its_name_is(language: Language) -> None:
    for pattern in patterns.split("\n".join(map(patterns.text_of, language.queries))):
        captures = set(re.findall(r"@([a-z]\w*)", re.sub(r'"(?:[^"\\]|\\.)*"', "", pattern)))
        kinds = captures & {*KINDS, "equation"}
        assert len(kinds | captures & {"comment", "docstring", "glue"}) == 1, pattern
        assert not kinds or captures & {"name", "declarator"}, pattern


@pytest.mark.parametrize(
    ("text", "qualifier", "name"),
    [
        ("get", "", "get"),
        ("A::B<std::pair<int, T>>::c", "A.B", "c"),
        ("ns::operator<<", "ns", "operator<<"),
        ("operator()", "", "operator()"),
        ("operator_name", "", "operator_name"),
        ("A::~A", "A", "~A"),
        ("exports.draw", "", "draw"),
        ("module.exports", "", ""),
        ("Widget.prototype.paint", "Widget", "paint"),
        ("$(window).resize", "", "resize"),
        ("M:push", "M", "push"),
        ("App\\Shop\\Cart", "App.Shop", "Cart"),
        ("Ecto.Repo", "Ecto", "Repo"),
        ("&'a mut Buffer<T>", "", "Buffer"),
        ("greet!", "", "greet!"),
        (":name", "", "name"),
        ("'by-name'", "", "by-name"),
        ("(<+>)", "", "<+>"),
        ("==", "", "=="),
        ("with-queue", "", "with-queue"),
        ("größe", "", "größe"),
        ("a\n  b", "", "b"),
    ],
)
def test_a_name_is_its_last_segment(text: str, qualifier: str, name: str) -> None:
    assert definitions.split_name(text) == (qualifier, name)


def test_a_selector_stays_as_it_is() -> None:
    assert definitions.split_name("a > b.c,\nd", "key") == ("", "a > b.c, d")


def test_locals_are_left_out_and_nested_functions_kept() -> None:
    check(
        "a.c",
        "int total;\nint f(int a) { int b; struct s { int x; } c; static const int d = 1; return b; }\n",
        "variable total\nfunction f\nstruct f.s\nfield f.s.x",
    )
    check("a.py", "def f():\n    a = 1\n    def g():\n        b = 2\n", "function f\nfunction f.g")


def test_a_value_counts_where_it_is_first_assigned() -> None:
    check("a.py", "x = 1\nx = 2\nclass A:\n    x = 3\n", "variable x\nclass A\nfield A.x")


def test_clauses_of_one_function_are_one_definition() -> None:
    source = "defmodule A do\n  def f(1), do: 1\n  def f(2), do: 2\n  def g(), do: 0\n  def f(3), do: 3\nend\n"
    check("a.ex", source, "module A\nfunction A.f\nfunction A.g\nfunction A.f")
    assert [(each.start_line, each.end_line) for each in define("a.ex", source)[1:]] == [(1, 2), (3, 3), (4, 4)]


def test_definitions_nested_beyond_all_reason_are_left_out() -> None:
    found = define("a.py", "".join(f"{' ' * depth}class A{depth}:\n" for depth in range(100)) + " " * 100 + "x = 1\n")
    assert len(found) == 32
    assert found[-1].depth == 31


def test_a_syntax_error_costs_only_what_it_breaks() -> None:
    source = "def before(): pass\n\ndef broken():\n    x = = 1 +\n\ndef after():\n    return 1\n"
    assert {"before", "broken", "after"} == {each.name for each in define("a.py", source)}


@pytest.mark.parametrize(
    ("path", "source", "doc"),
    [
        ("a.py", "# Above\n# it.\ndef f(): pass\n", "Above it."),
        ("a.py", "# Far\n\ndef f(): pass\n", ""),
        ("a.py", "x = 1  # beside\ndef f(): pass\n", ""),
        ("a.py", "# Above.\n@decorator(a=1)\n@other\ndef f(): pass\n", "Above."),
        ("a.py", '# Above.\ndef f():\n    """Inside\n    it."""\n', "Inside it."),
        ("a.py", "def f():\n    'Quoted.'\n", "Quoted."),
        ("a.js", "/**\n * Star\n * by star.\n */\nexport default function f() {}\n", "Star by star."),
        ("a.rs", "/// One.\n/// Two.\n#[inline]\n#[must_use]\npub fn f() {}\n", "One. Two."),
        ("a.rs", "/// One.\r\n/// Two.\r\npub fn f() {}\r\n", "One. Two."),
        ("a.rs", "/// One.\r/// Two.\rpub fn f() {}\r", "One. Two."),
        ("a.cs", "/// <summary>Adds.</summary>\n[Pure]\nclass A {}\n", "Adds."),
        ("a.lua", "--- Adds.\nfunction f() end\n", "Adds."),
        ("a.hs", "-- | Adds.\nf :: Int\nf = 1\n", "Adds."),
        ("a.java", "// Far.\nclass A { int x; }\nclass B {}\n", "Far."),
        ("a.c", "/* " + "long " * 300 + "*/\nint f(void);\n", ("long " * 300)[:400]),
    ],
)
def test_documentation_comes_without_its_marks(path: str, source: str, doc: str) -> None:
    assert define(path, source)[0].doc == doc


@pytest.mark.parametrize(
    ("path", "source", "signature"),
    [
        ("a.py", "async def f(\n    a,\n    b=1,\n) -> int:\n    pass\n", "async def f( a, b=1, ) -> int"),
        ("a.py", "LIMITS = {\n    'a': 1,\n}\n", "LIMITS"),
        ("a.java", '@A("x")\n@B(c = @D(1))\nfinal class E extends F {}\n', "final class E extends F"),
        ("a.go", "type Point struct {\n\tx int\n}\n", "type Point struct"),
        ("a.ts", "export const f = async (a: string) => {\n  return a\n}\n", "export const f = async (a: string) =>"),
        ("a.ex", "def f(a) when a > 1 do\n  a\nend\n", "def f(a) when a > 1"),
        ("a.c", "int f(" + "int a, " * 90 + "int b) { return 1; }\n", ("int f(" + "int a, " * 90)[:200].rstrip(" ,")),
    ],
)
def test_a_signature_is_one_line_up_to_the_body(path: str, source: str, signature: str) -> None:
    assert define(path, source)[0].signature == signature
