"""What is typed into the query box becomes words, exact text and filters, also while it is being typed."""

from __future__ import annotations

import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sightline.core.identifiers import STOP_WORDS
from sightline.core.model import Filters, Identifier, Query
from sightline.core.query import MOST_IDENTIFIERS, MOST_WORDS, of_text, parse, path_regexes
from sightline.errors import QueryError

BOX = st.text('ab:-"\\,/{}[]* \n\0éA_.', max_size=40) | st.lists(
    st.sampled_from(["lang:py", "kind:fn", "path:", "file:*.py", '"', "-", " ", "word", ":", "x:y", "\ud800", ","])
).map("".join)


def finds(query: Query, path: str) -> bool:
    wanted, unwanted = path_regexes(query.filters)
    return all(re.fullmatch(each, path) for each in wanted) and not any(re.fullmatch(each, path) for each in unwanted)


@pytest.mark.parametrize(
    ("box", "text", "filters"),
    [
        ("where are sessions persisted", "where are sessions persisted", Filters()),
        ("", "", Filters()),
        ("  \n ", "", Filters()),
        ("lang:py", "", Filters(languages=("python",))),
        ("retry lang:Python,go policy", "retry policy", Filters(languages=("python", "go"))),
        ("lang:py lang:go,python", "", Filters(languages=("python", "go"))),
        ("lang:ts", "", Filters(languages=("typescript", "typescriptreact"))),
        ("lang:tsx", "", Filters(languages=("typescriptreact",))),
        ('lang:"c++",c#', "", Filters(languages=("cpp", "csharp"))),
        ("-lang:sql x", "x", Filters(not_languages=("sql",))),
        ("kind:function,Class kind:fn", "", Filters(kinds=("function", "class"))),
        ("-kind:method,", "", Filters(not_kinds=("method",))),
        ("path:src/**", "", Filters(include=("src/**",))),
        ("path:src -path:tests/**", "", Filters(include=("**/src{,/**}",), exclude=("tests/**",))),
        ("path:{a,b}/x/**,[a,b]/**", "", Filters(include=("{a,b}/x/**", "[a,b]/**"))),
        ('path:"my dir/**","a,b/**"', "", Filters(include=("my dir/**", "a,b/**"))),
        ("file:*.py -file:conf.py", "", Filters(files=("**/*.py",), exclude=("**/conf.py",))),
        ('"raise NotFound"', "raise NotFound", Filters(exact=("raise NotFound",))),
        ('find "a b" -"c d" now', "find a b now", Filters(exact=("a b",), not_exact=("c d",))),
        (r'"say \"hi\" \\ \d"', r'say "hi" \ \d', Filters(exact=(r'say "hi" \ \d',))),
        ('"a":1', "a :1", Filters(exact=("a",))),
    ],
)
def test_a_line_is_parted_into_text_and_filters(box: str, text: str, filters: Filters) -> None:
    query = parse(box)
    assert (query.text, query.filters) == (text, filters)


@pytest.mark.parametrize(
    ("typed", "exact"),
    [
        ('"', ()),
        ('x -"', ()),
        ('""', ()),
        ('"  "', ()),
        ('"rai', ("rai",)),
        ('x "raise No', ("raise No",)),
        ('"a\\', ("a\\",)),
    ],
)
def test_a_quote_that_is_still_open_holds_the_rest(typed: str, exact: tuple[str, ...]) -> None:
    assert parse(typed).filters.exact == exact


@pytest.mark.parametrize(
    "text",
    [
        "std::vector", "path::join", "http://x.y/z", "file:///etc/hosts", "foo:bar", "TODO:fix", "localhost:8080",
        "find:x", "bind:value={x}", "math:floor", "a:b:c", "key: value",
        ":lang", "lang", "-O2 --verbose", "x-lang:py", "Lang:py",
        'print("hello world")', "don't", "-", "--", '--"a', 'foo:"a b', "x[1:2]", "case 1:", "{lang:py}",
    ],
)  # fmt: skip
def test_what_only_looks_like_a_filter_is_text(text: str) -> None:
    assert parse(text) == of_text(text)


@pytest.mark.parametrize(
    ("box", "message", "hint"),
    [
        ("lnag:py", "unknown filter lnag:", "lang:"),
        ("language:py", "unknown filter language:", "lang:"),
        ("-langs:py", "unknown filter langs:", "lang:"),
        ("paths:src", "unknown filter paths:", "path:"),
        ("ext:py", "unknown filter ext:", "file:"),
        ("folder:src", "unknown filter folder:", "path:"),
        ("repo:api", "unknown filter repo:", "Did you mean project:?"),
        ("project:", "project: needs a value", "right behind the colon"),
        ("lang:", "lang: needs a value", "quotes"),
        ("x path: src", "path: needs a value", "quotes"),
        ('file:""', "file: needs a value", "quotes"),
        ("kind:,,", "kind: needs a value", "quotes"),
        ("lang:pyhton", 'unknown language "pyhton"', "python"),
        ("lang:py,klingon", 'unknown language "klingon"', ""),
        ("-kind:functoin", 'unknown kind "functoin"', "function"),
    ],
)
def test_a_filter_that_is_none_is_an_error_with_a_suggestion(box: str, message: str, hint: str) -> None:
    with pytest.raises(QueryError, match=f"^{re.escape(message)}$") as caught:
        parse(box)
    assert hint in caught.value.hint


def test_quotes_turn_a_wrong_filter_into_text() -> None:
    assert parse('"lnag:py"').filters == Filters(exact=("lnag:py",))


@given(BOX)
def test_no_line_fails_but_with_our_error(box: str) -> None:
    try:
        query = parse(box)
    except QueryError:
        return
    assert b"\0" not in query.text.encode()
    assert finds(query, "a") in (True, False)


@given(st.text("abcZ_.\n 9'", max_size=60))
def test_words_without_colons_and_quotes_come_through(words: str) -> None:
    assert parse(words).text.split() == words.split()


@pytest.mark.parametrize("piece", ['"', "a ", "Ab.", '-"', "path:{", "file:*.py ", "{a,", "\\", "数", "lang"])
def test_time_grows_with_the_length_and_no_faster(piece: str) -> None:
    def seconds(count: int) -> float:
        started = time.process_time()
        assert len(parse(piece * count).identifiers) <= MOST_IDENTIFIERS
        return time.process_time() - started

    assert min(seconds(40_000) for _ in range(3)) < 0.05 + 40 * seconds(4_000)


@pytest.mark.parametrize(
    ("box", "found", "missed"),
    [
        ("path:src file:*.py", "src/a.py lib/src/b/c.py", "src/a.js lib/a.py"),
        ("path:src,lib", "src/a.js lib/a.py", "app/a.py"),
        ("path:src path:lib -path:*test*", "src/a.js lib/a.py", "src/test_a.py lib/tests/a.py"),
        ("-file:*.md,*.txt", "a.py", "a.md docs/b.txt"),
        ("words", "a.py", ""),
    ],
)
def test_the_same_key_widens_and_another_narrows(box: str, found: str, missed: str) -> None:
    query = parse(box)
    assert all(finds(query, path) for path in found.split())
    assert not any(finds(query, path) for path in missed.split())


@pytest.mark.parametrize(
    ("text", "terms"),
    [
        ("where are the sessions of a Session", ("session",)),
        ("open CookieJar", ("open", "cooky", "jar", "=cookiejar")),
        ("does isAdmin work", ("admin", "=isadmin", "work")),
        ("what is it", ("what", "is", "it")),
        ("dur during", ("dur",)),
        ("", ()),
    ],
)
def test_terms_are_distinct_and_without_stop_words(text: str, terms: tuple[str, ...]) -> None:
    assert of_text(text).terms == terms


@given(st.lists(st.sampled_from(sorted(STOP_WORDS)), min_size=1))
def test_a_query_of_stop_words_keeps_them(words: list[str]) -> None:
    assert of_text(" ".join(words)).terms


def test_a_long_selection_is_asked_by_its_first_words() -> None:
    assert of_text(" ".join(f"word{letter}" for letter in map(chr, range(0x4E00, 0x5000)))).terms
    assert len(of_text(" ".join(f"{number}" for number in range(1000))).terms) == MOST_WORDS


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("session", "session"),
        ("with", "with"),
        ("Session.get", "Session get"),
        ("std::collections::HashMap<K, V>", "std.collections HashMap"),
        ("std::vector<int>", "std vector"),
        ("render_template()", "render_template"),
        ("this->buffer", "buffer"),
        ("self.client.send(", "client send"),
        ("Foo#bar?", "Foo bar"),
        ("App\\Http\\Kernel", "App.Http Kernel"),
        ("retry-with-backoff", "retry-with-backoff"),
        ("session.py", "session"),
        ("src/api/session.py", "src.api session"),
        ("(x)", "x"),
        ("<div>", "div"),
        ("'quoted',", "quoted"),
        ("++", None),
    ],
)
def test_a_single_word_is_an_identifier(text: str, names: str | None) -> None:
    query = of_text(text)
    expected = () if names is None else (Identifier(names.split()[-1], " ".join(names.split()[:-1])),)
    assert query.identifiers == (expected if len(text.split()) == 1 else query.identifiers)
    assert query.is_identifier is (names is not None and len(text.split()) == 1)


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("where are sessions stored", ""),
        ("Where are sessions stored", ""),
        ("how does Flask handle errors", "Flask"),
        ("It fails. Then it works. How", ""),
        ("show_exceptions middleware", "show_exceptions"),
        ("the parseParams function", "parseParams"),
        ("WebSocket client", "WebSocket"),
        ("compute sha256 sums", "sha256"),
        ("call Session.get or std::move twice", "Session/get std/move"),
        ("absl::flat_hash_map and flat_hash_set tables", "absl/flat_hash_map flat_hash_set"),
        ("what is This and why do I ask", ""),
        ("use obj->field here", "obj/field"),
        ("Retry Retry the Retry", "Retry"),
        ("opened in app/server.py today", "server"),
        ("解析 parseJSON 数据", "parseJSON"),
        ("how HTTP and X11 use MAX_SIZE", "MAX_SIZE"),
        ("an OAuth2 token or io.EOF", "OAuth2 io/EOF"),
    ],
)
def test_names_in_a_sentence_are_told_by_how_they_are_written(text: str, names: str) -> None:
    expected = [Identifier(*reversed(name.rpartition("/")[::2])) for name in names.split()]
    query = of_text(text)
    assert list(query.identifiers) == expected
    assert not query.is_identifier
