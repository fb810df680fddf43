"""Words are cut, stemmed and folded alike wherever they come from."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sightline.core.identifiers import (
    LONGEST_PART,
    LONGEST_WORD,
    STOP_WORDS,
    WORD_PATTERN,
    folded,
    name_words,
    split,
    stem,
    stem_words,
    terms,
    text_terms,
)

NAMES = st.text("abzABZ019_éÑß数据-. ", max_size=30)


@pytest.mark.parametrize(
    ("word", "parts"),
    [
        ("HTTPServer2Go", "http server 2 go"),
        ("parseJSONConfig", "parse json config"),
        ("snake_case", "snake case"),
        ("SCREAMING_CASE", "screaming case"),
        ("kebab-case", "kebab case"),
        ("__init__", "init"),
        ("getURLsFor", "get urls for"),
        ("DNSserver", "dn sserver"),
        ("IDs", "ids"),
        ("utf8", "utf 8"),
        ("x", "x"),
        ("_", ""),
        ("", ""),
        ("Ünïcode", "ünïcode"),
        ("naïveÉtéHTTPÑandú", "naïve été http ñandú"),
        ("u\u0308berGröße", "über größe"),
        ("数据", "数据"),
        ("get数据处理V2", "get 数据处理 v 2"),
        ("हिन्दी", "हिन्दी"),
        ("don’t", "don t"),
        ("ａｂｃ", "abc"),
    ],
)
def test_a_name_is_cut_at_humps_underscores_and_digits(word: str, parts: str) -> None:
    assert split(word) == tuple(parts.split())


@pytest.mark.parametrize(
    ("forms", "common"),
    [
        ("query queries", "query"),
        ("cookie cookies", "cooky"),
        ("retry retries retried retrying", "retry"),
        ("class classes", "class"),
        ("process processes processing processed", "process"),
        ("cache caches cached caching", "cach"),
        ("box boxes", "box"),
        ("session sessions", "session"),
        ("handle handles handled handling", "handl"),
        ("stop stops stopped stopping", "stop"),
        ("call calls called calling", "call"),
        ("status", "status"),
        ("analysis", "analysis"),
        ("string strings", "str"),
        ("bus", "bus"),
        ("ring", "ring"),
        ("need", "need"),
        ("parser", "parser"),
        ("2048", "2048"),
    ],
)
def test_the_forms_of_a_word_share_a_stem_that_is_its_own_stem(forms: str, common: str) -> None:
    assert {stem(form) for form in forms.split()} == {common}
    assert stem(common) == common


@given(st.text("aeinsdgzx", min_size=1, max_size=12))
def test_a_stem_is_never_empty_and_never_longer_than_its_word(word: str) -> None:
    assert 0 < len(stem(word)) <= len(word)


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("CookieJar", "cooky jar =cookiejar"),
        ("cookie_jars", "cooky jar =cookiejars"),
        ("cookies", "cooky"),
        ("_private", "privat"),
        ("404", "404"),
        ("__", ""),
        ("数据", "数据"),
        ("数据处理", "数据 据处 处理"),
        ("load数据", "load 数据 =load数据"),
        ("数据、処理“引用”", "数据 処理 引用"),
        ("don’t", "don t"),
        ("don\u00a0Carlos", "don carlo"),
        ("a" * LONGEST_PART, "a" * (LONGEST_PART - 1)),
        ("a" * (LONGEST_PART + 1), ""),
        ("aB" * LONGEST_WORD, ""),
        ("é" * (LONGEST_WORD + 1), ""),
    ],
)
def test_the_terms_of_a_word_are_its_stems_and_its_compound(word: str, expected: str) -> None:
    assert terms(word) == tuple(expected.split())


def test_the_terms_of_a_text_come_in_order() -> None:
    assert text_terms("Open the HTTPServer, 2 times") == ["open", "the", "http", "server", "=httpserver", "2", "tim"]


@given(st.text() | NAMES)
def test_bytes_hold_the_same_words_as_the_text(text: str) -> None:
    text = text.encode("utf-8", "ignore").decode()
    words = [word.decode() for word in re.findall(WORD_PATTERN.encode(), text.encode())]
    assert words == re.findall(WORD_PATTERN, text)


@given(st.text() | NAMES)
def test_every_term_can_be_stored_and_indexed(text: str) -> None:
    for term in text_terms(text):
        assert term
        assert len(term.encode()) <= 4 * (LONGEST_WORD + 1)
        assert not any(char.isspace() or char == "\0" for char in term)


@given(NAMES)
def test_a_name_and_its_decomposed_form_have_equal_terms(name: str) -> None:
    assert text_terms(name.replace("é", "e\u0301").replace("Ñ", "N\u0303")) == text_terms(name)


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("src/SessionStore.py", "session stor"),
        ("src/session_sessions.py", "session"),
        ("src/auth/__init__.py", "auth init"),
        ("src/auth/mod.rs", "auth mod"),
        ("src/user-menu/Index.tsx", "index menu user"),
        ("index.js", "index"),
        ("src/auth/domain.py", "domain"),
    ],
)
def test_a_file_without_a_name_of_its_own_takes_its_folders(path: str, words: str) -> None:
    assert stem_words(path) == tuple(words.split())


def test_the_words_of_a_name_have_no_compound_and_no_repetition() -> None:
    assert name_words("Sessions_of_session Größe") == ("größ", "of", "session")


@pytest.mark.parametrize(
    "spelling", ["CookieJar", "cookie_jar", "COOKIE-JAR", "cookieJar?", "cookie jar", "ＣｏｏｋｉｅJar", "@cookie.jar"]
)
def test_spellings_of_one_name_fold_to_one(spelling: str) -> None:
    assert folded(spelling) == "cookiejar"


def test_folding_keeps_letters_of_every_script() -> None:
    assert folded("Straße_数据 हिन्दी") == "strasse数据हिन्दी"


@given(st.text())
def test_folding_twice_changes_nothing(name: str) -> None:
    assert folded(folded(name)) == folded(name)


def test_stop_words_are_plain_words() -> None:
    assert all(split(word) == (word,) for word in STOP_WORDS)
