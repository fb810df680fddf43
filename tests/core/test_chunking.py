"""Chunks tile a file whatever its bytes are, and follow its definitions where it has any."""

from __future__ import annotations

import multiprocessing
import time
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.goldens import SAMPLES, name_of
from sightline.core import grammars
from sightline.core.chunking import MAX_CHUNK, parse
from sightline.core.lines import LineTable
from sightline.core.model import KINDS, Chunk, Syntax

SOURCES = {name_of(sample): sample.read_bytes() for sample in SAMPLES}

SCRAPS = st.one_of(
    st.binary(max_size=12),
    st.sampled_from(
        [
            b"\n",
            b"\r",
            b"\r\n",
            b"\t",
            b"\0",
            b"\xef\xbb\xbf",
            b"\xe2\x82",
            b'"',
            b"'''",
            b"/*",
            b"*/",
            b"//",
            b"#",
            b"--",
        ]
        + [b"(", b")", b"{", b"}", b"[[", b"<<EOF\n", b"${", b"end\n", b"class A:\n", b"\\", b" " * 200, b"x" * 5_000]
    ),
)
EDITS = st.lists(st.tuples(st.floats(0, 1), st.integers(0, 40), SCRAPS), max_size=8)
"""Where to edit, how many bytes to drop there, and what to put in."""


def edited(source: bytes, edits: list[tuple[float, int, bytes]]) -> bytes:
    for place, dropped, scrap in edits:
        at = int(place * len(source))
        source = source[:at] + scrap + source[at + dropped :]
    return source


def check_invariants(source: bytes, syntax: Syntax) -> None:
    bounds = [0, *(chunk.end_byte for chunk in syntax.chunks)]
    assert [(chunk.start_byte, chunk.end_byte) for chunk in syntax.chunks] == list(pairwise(bounds))
    assert bounds[-1] == len(source)
    lines = LineTable(source)
    for chunk in syntax.chunks:
        assert 0 < chunk.end_byte - chunk.start_byte <= MAX_CHUNK
        check_cut(source, chunk.start_byte, lines)
        assert chunk.start_line == lines.line_of(chunk.start_byte)
        assert chunk.end_line == lines.line_of(chunk.end_byte - 1)
        check_definitions(chunk, lines)
    spans = [offset for span in syntax.comments for offset in span]
    assert spans == sorted(spans)
    assert all(start < end <= len(source) for start, end in syntax.comments)


def check_cut(source: bytes, at: int, lines: LineTable) -> None:
    """At a line's start, or between two characters of a line that is too long."""
    line = int(lines.line_of(at))
    if at == lines.start(line):
        return
    assert lines.start(line + 1) - lines.start(line) > MAX_CHUNK
    assert source[at - 1 : at + 1] != b"\r\n"
    around = source[at - 4 : at + 4]
    if around.decode("utf-8", "ignore").encode() == around:
        assert source[at] & 0xC0 != 0x80


def check_definitions(chunk: Chunk, lines: LineTable) -> None:
    assert chunk.kind in KINDS
    assert bool(chunk.symbol) != (chunk.kind in ("code", "text"))
    assert chunk.symbol in {"", *(each.name for each in chunk.definitions)} or chunk.enclosing or not chunk.definitions
    for each in chunk.definitions:
        assert chunk.start_byte <= each.start_byte < chunk.end_byte
        assert each.start_byte < each.end_byte
        assert each.start_line == lines.line_of(each.start_byte)
        assert each.end_line == lines.line_of(each.end_byte - 1)
        assert each.kind in KINDS
        assert 0 < len(each.name) <= 120
        assert len(each.signature) <= 200
        assert len(each.doc) <= 400
        assert "\n" not in each.signature + each.doc


@pytest.mark.parametrize("path", SOURCES)
def test_the_chunks_of_every_language_tile_the_file(path: str) -> None:
    check_invariants(SOURCES[path], parse(path, SOURCES[path]))
    long = SOURCES[path] * 20
    check_invariants(long, parse(path, long))


@settings(max_examples=300)
@given(st.sampled_from(sorted(SOURCES)), EDITS, st.sampled_from([1, 1, 12]))
def test_no_edit_breaks_the_tiling(path: str, edits: list[tuple[float, int, bytes]], times: int) -> None:
    source = edited(SOURCES[path] * times, edits)
    syntax = parse(path, source)
    check_invariants(source, syntax)
    assert parse(path, source) == syntax


@settings(deadline=None, max_examples=300)
@given(st.sampled_from([*sorted(SOURCES), "noname"]), st.lists(SCRAPS, max_size=60).map(b"".join))
def test_any_bytes_are_welcome_in_any_language(path: str, source: bytes) -> None:
    check_invariants(source, parse(path, source))


@pytest.mark.parametrize(
    "source",
    [
        b"",
        b"\n",
        b"\xef\xbb\xbf",
        b"\0" * 10_000,
        b"\xff" * 10_000,
        b"\r" * 10_000,
        b"\r\n" * 6_000,
        b" " * 10_000,
        b"\n" * 10_000,
        b"(" * 10_000,
        b"[" * 10_000 + b"]" * 10_000,
        b"{\n" * 10_000,
        b"".join(b" " * depth + b"if a:\n" for depth in range(300)),
        b"f(" * 5_000 + b")" * 5_000,
        "漢字".encode() * 3_000,
        b"x" * 4_001 + b"\r\n" + b"y" * 3_999 + b"\r\n",
    ],
    ids=lambda source: f"{source[:6]!r}x{len(source)}",
)
@pytest.mark.parametrize("path", ["a.py", "a.js", "a.rs", "a.rb", "a.scala", "a.kt", "a.jl", "a.md", "a.json", "a.txt"])
def test_no_shape_of_text_is_too_much(path: str, source: bytes) -> None:
    check_invariants(source, parse(path, source))


def test_an_empty_file_has_no_chunks() -> None:
    assert parse("a.py", b"") == Syntax("python", ())


def test_a_megabyte_on_one_line_is_cut_into_as_few_chunks_as_may_be() -> None:
    source = b"var a=1;" * 131_072
    assert len(parse("a.js", source).chunks) == -(-len(source) // MAX_CHUNK)


def test_ten_thousand_levels_are_read_without_recursion() -> None:
    source = b"x = " + b"[" * 5_000 + b"\n" * 10 + b"]" * 5_000 + b"\ndef f(): pass\n"
    syntax = parse("a.py", source)
    check_invariants(source, syntax)
    assert syntax.language == "python"


def test_what_no_parser_should_see_keeps_its_language_and_becomes_text() -> None:
    syntax = parse("a.rs", b"a % w(\n" * 800)
    assert (syntax.language, {chunk.kind for chunk in syntax.chunks}) == ("rust", {"text"})


def test_a_parser_that_works_too_hard_is_stopped() -> None:
    hard = b"a\n=\n" * 1_000
    assert grammars.parse("ruby", hard) is None
    assert parse("a.rb", hard).language == "ruby"
    assert grammars.parse("ruby", b"a = 1\n" * 2_000) is not None


def test_a_tree_without_names_is_cut_as_text() -> None:
    source = b")\n" * 5_000
    assert {chunk.kind for chunk in parse("a.c", source).chunks} == {"text"}


def test_a_grammar_that_no_wheel_has_is_none() -> None:
    assert grammars.load("klingon") is None
    assert grammars.parse("klingon", b"x") is None


def test_embedded_data_does_not_make_code_minified() -> None:
    source = b'IMAGE = "' + b"QUJD" * 5_000 + b'"\n\ndef show(): pass\n'
    assert "show" in {each.name for chunk in parse("a.py", source).chunks for each in chunk.definitions}


def test_a_worker_process_answers_alike() -> None:
    source = SOURCES["sessions.py"] * 5
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        assert pool.apply(parse, ("sessions.py", source)) == parse("sessions.py", source)


def chunks(path: str, source: str) -> list[tuple[str, str]]:
    """Each chunk's kind and symbol, and its text."""
    data = source.encode()
    return [
        (f"{each.kind} {each.symbol}".strip(), data[each.start_byte : each.end_byte].decode())
        for each in parse(path, data).chunks
    ]


def function(name: str, size: int) -> str:
    lines = "".join(f"    step_{number} = call({number})\n" for number in range(size // 24))
    return f"def {name}():\n{lines}"


def test_a_definition_of_at_most_1500_bytes_stays_whole() -> None:
    one, two = function("one", 1_400), function("two", 1_400)
    assert chunks("a.py", one + "\n\n" + two) == [("function one", one + "\n\n"), ("function two", two)]


def test_a_larger_one_is_entered_and_its_parts_know_it() -> None:
    source = "import os\n\n\n" * 30 + function("large", 4_000)
    found = parse("a.py", source.encode()).chunks
    inside = [chunk for chunk in found if chunk.start_byte > source.index("def large")]
    assert len(inside) >= 2
    assert {(chunk.kind, chunk.symbol, chunk.signature) for chunk in inside} == {("function", "large", "def large()")}
    assert {chunk.enclosing for chunk in inside} == {("large",)}
    head = found[-len(inside) - 1]
    assert source[head.start_byte :].startswith("def large")
    assert [each.name for each in head.definitions] == ["large"]
    assert head.enclosing == ()


def test_neighbours_merge_up_to_600_bytes() -> None:
    source = "".join(function(f"f{number}", 120) + "\n\n" for number in range(40))
    sizes = [len(text.rstrip()) for _, text in chunks("a.py", source)]
    assert max(sizes) <= 600
    assert min(sizes) > 400


def test_comments_and_decorators_go_with_what_follows() -> None:
    one = function("one", 1_000)
    two = "# About two.\n@cached\n@traced(level=1)\n" + function("two", 1_000)
    assert chunks("a.py", one + "\n" + two) == [("function one", one + "\n"), ("function two", two)]


def test_a_remark_beside_the_code_stays_there() -> None:
    one = function("one", 1_000).rstrip("\n") + "  # done\n"
    assert chunks("a.py", one + function("two", 1_000))[0] == ("function one", one)


def test_a_comment_too_large_to_join_stands_alone() -> None:
    comment = "".join(f"# Line {number} of the licence.\n" for number in range(60))
    assert [name for name, _ in chunks("a.py", comment + function("one", 1_000))] == ["code", "function one"]


def test_a_closing_bracket_is_no_chunk() -> None:
    members = "".join(f"  method{number}() {{\n" + "    call();\n" * 60 + "  }\n" for number in range(3))
    found = chunks("a.js", f"class Large {{\n{members}}}\n")
    assert [name for name, _ in found] == ["class Large", "method method1", "method method2"]
    assert found[-1][1].endswith("  }\n}\n")


def test_the_symbol_is_the_type_or_function_that_starts_here() -> None:
    assert chunks("a.py", "A = 1\n\ndef f(): pass\n\nclass B: pass\n")[0][0] == "function f"
    assert chunks("a.py", "A = 1\nLONGER = 2 + 2\n")[0][0] == "constant LONGER"
    assert chunks("a.py", "import os\n")[0][0] == "code"


def test_enclosing_names_are_qualified_and_outermost_first() -> None:
    body = "".join(f"      step_{number} = call({number})\n" for number in range(200))
    source = f"module Shop::Models\n  class User\n    def save\n{body}    end\n  end\nend\n"
    last = parse("a.rb", source.encode()).chunks[-1]
    assert last.enclosing == ("Shop.Models", "User", "save")
    assert (last.kind, last.symbol, last.container) == ("method", "save", "Shop.Models.User")


def test_text_is_cut_at_blank_lines_and_shallow_indentation() -> None:
    paragraph = "Some words that fill a line of text to its end.\n" * 9
    found = [text for _, text in chunks("a.txt", "\n".join([paragraph] * 6))]
    assert all(text.startswith("Some") and text.endswith("end.\n\n") for text in found[:-1])
    assert len(found) == 3


def test_a_section_goes_with_its_heading() -> None:
    text = "Some words that fill a line of text to its end.\n" * 20
    source = f"# One\n{text}\n## Two\n{text}\n# Three\n{text}"
    assert [name for name, _ in chunks("a.md", source)] == ["heading One", "heading Two", "heading Three"]
    assert parse("a.md", source.encode()).chunks[1].container == "One"


def test_a_large_section_is_cut_and_its_parts_know_its_heading() -> None:
    source = "# One\n" + "Some words that fill a line of text to its end.\n" * 100
    found = parse("a.md", source.encode()).chunks
    assert len(found) > 4
    assert {(chunk.kind, chunk.symbol) for chunk in found} == {("heading", "One")}


def test_comments_and_doc_strings_are_told_apart_from_code() -> None:
    source = b'"""Top."""\nx = "no"  # beside\n\ndef f():\n    """Doc."""\n    return 1\n'
    assert [source[start:end] for start, end in parse("a.py", source).comments] == [
        b'"""Top."""',
        b"# beside",
        b'"""Doc."""',
    ]


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("a.py", b"a = [1, 2]\ndef f(): pass\n"),
        ("a.c", b";"),
        ("a.lisp", b"(f "),
        ("a.md", b"# a\n## b\n"),
        ("a.txt", b"a b\n"),
        ("a.yaml", b"a:\n  b: 1\n"),
    ],
)
def test_time_grows_with_the_size_and_no_faster(path: str, source: bytes) -> None:
    small, large = (cpu_time(path, source * (size // len(source))) for size in (12_000, 96_000))
    assert large < 25 * small + 0.05  # eight times the size; the square would be 64


def cpu_time(path: str, source: bytes) -> float:
    times = []
    for _ in range(4):
        start = time.process_time()
        parse(path, source)
        times.append(time.process_time() - start)
    return min(times)
