"""A file's language is known by its name, and by its first bytes where the name leaves it open."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sightline.core.languages import LANGUAGES, PLAIN_TEXT, detect, resolve

WITH_A_GRAMMAR = (
    "python javascript javascriptreact typescript typescriptreact go rust java c cpp csharp ruby php kotlin scala swift"
    " lua elixir haskell shellscript zig dart sql html css"
)


@pytest.mark.parametrize(
    ("path", "head", "language"),
    [
        ("a.py", b"", "python"),
        ("src/deep/a.tsx", b"", "typescriptreact"),
        ("windows\\path\\a.RS", b"", "rust"),
        ("README", b"", "plaintext"),
        ("README.md", b"", "markdown"),
        ("Makefile", b"", "makefile"),
        ("Makefile.am", b"", "makefile"),
        ("Dockerfile.dev", b"", "dockerfile"),
        ("CMakeLists.txt", b"", "cmake"),
        ("pkg/BUILD", b"", "starlark"),
        ("build", b"", "plaintext"),
        ("x.blade.php", b"", "blade"),
        (".bashrc", b"", "shellscript"),
        (".gitignore", b"", "ignore"),
        ("Gemfile", b"", "ruby"),
        ("vector.H", b"", "cpp"),
        ("list.h", b"struct list;\n", "c"),
        ("list.h", b"#pragma once\nnamespace a {\n", "cpp"),
        ("list.h", b'extern "C" {\nint f(void);\n}\n', "c"),
        ("view.h", b"#import <UIKit/UIKit.h>\n", "objective-c"),
        ("solve.m", b"% Solves.\nfunction x = solve(a)\n", "matlab"),
        ("view.m", b"@implementation View\n", "objective-c"),
        ("de.ts", b'<?xml version="1.0"?>\n<TS></TS>', "xml"),
        ("run", b"#!/bin/sh\n", "shellscript"),
        ("run", b"#!/usr/bin/env python3.12\n", "python"),
        ("run", b"#!/usr/bin/env -S node --flag\n", "javascript"),
        ("run", b"#! /usr/local/bin/ruby -w\n", "ruby"),
        ("run", b"#!/opt/unknown\n", "plaintext"),
        ("run", b"\xff\xfe#!", "plaintext"),
        ("a.unknown", b"text", "plaintext"),
        ("", b"", "plaintext"),
        (".", b"", "plaintext"),
    ],
)
def test_the_name_tells_the_language_and_then_the_text(path: str, head: bytes, language: str) -> None:
    assert detect(path, head).id == language


@pytest.mark.parametrize(
    ("name", "language"),
    [
        ("py", "python"),
        ("Python", "python"),
        (" js ", "javascript"),
        ("ts", "typescript"),
        ("tsx", "typescriptreact"),
        ("jsx", "javascriptreact"),
        ("rs", "rust"),
        ("sh", "shellscript"),
        ("bash", "shellscript"),
        ("cs", "csharp"),
        ("c++", "cpp"),
        ("kt", "kotlin"),
        ("rb", "ruby"),
        ("md", "markdown"),
        ("hs", "haskell"),
        ("ex", "elixir"),
        ("yml", "yaml"),
    ],
)
def test_the_query_box_knows_short_names(name: str, language: str) -> None:
    found = resolve(name)
    assert found is not None
    assert found.id == language


def test_an_unknown_name_is_no_language() -> None:
    assert resolve("klingon") is None


def test_every_name_and_every_way_to_detect_belongs_to_one_language() -> None:
    for kind in ("extensions", "file_names", "interpreters"):
        counts = Counter(name for language in LANGUAGES for name in getattr(language, kind))
        assert [name for name, count in counts.items() if count > 1] == []
    names = Counter(name for language in LANGUAGES for name in {language.id, *language.aliases})
    assert [name for name, count in names.items() if count > 1] == []


@pytest.mark.parametrize("language", WITH_A_GRAMMAR.split())
def test_the_promised_languages_are_read_by_a_grammar(language: str) -> None:
    found = resolve(language)
    assert found is not None
    assert found.grammar
    assert found.queries


@given(st.text(), st.binary())
def test_any_name_and_any_bytes_have_a_language(path: str, head: bytes) -> None:
    assert detect(path, head) in (*LANGUAGES, PLAIN_TEXT)
