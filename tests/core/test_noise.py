"""A path shows whether it is likely to be noise, and a query whether it wants just that."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sightline.core.identifiers import text_terms
from sightline.core.noise import KINDS, asked, kinds, noisy, outdated

SHOWN = {
    "test": (
        "tests/a.py Tests/A.swift src/test/java/A.java pkg/__tests__/a.js spec/a.rb testdata/a.go test-suite/a.c "
        "a/fixtures/x.json src/commonTest/kotlin/A.kt test_a.py a/test_a.py a_test.go a.test.ts a.spec.ts "
        "a-test.js AppTest.java AppTests.cs HttpSpec.scala FooTestCase.php conftest.py test_helper.exs e2e/a.ts "
        "src/mocks/a.ts api.mock.ts"
    ),
    "example": (
        "examples/a.py Examples/a.swift demo/a.js docs_src/a.py benchmarks/a.py bench/a.rb playground/a.ts "
        "_examples/a.go"
    ),
    "vendored": (
        "vendor/a.go third_party/a.c third-party/a.c 3rdparty/a.c node_modules/a/i.js deps/lua/l.c "
        "src/generated/a.ts a.min.js a_pb2.py a.pb.go a.g.dart External/a.h"
    ),
    "legacy": "legacy/a.py a/_compat/b.py src/deprecated/a.js old/a.c a_legacy.py py.compat.js x-compat.rb",
    "prose": "README.md docs/a.rst notes.txt README LICENSE Changelog.md a.adoc",
    "": (
        "src/a.py testament/a.py src/contest.py latest.py attest/x.go src/testing.py app/Inspector.java "
        "protest.rb src/golden/a.py vendors.py generate/a.py compat.py CMakeLists.txt requirements.txt "
        "src/oldest.c docs/conf.py examples.py min.js"
    ),
}


@pytest.mark.parametrize(("kind", "path"), [(kind, path) for kind, paths in SHOWN.items() for path in paths.split()])
def test_a_path_shows_its_kind_of_noise(kind: str, path: str) -> None:
    assert kinds(path) == ({kind} if kind else set())
    assert noisy(path) is bool(kind)


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("how are tests discovered", "test"),
        ("mocking the clock", "test"),
        ("assertions on headers", "test"),
        ("example of a plugin", "example"),
        ("deprecated options", "legacy"),
        ("vendored libraries", "vendored"),
        ("documentation of settings", "prose"),
        ("where are sessions persisted", ""),
    ],
)
def test_a_query_asks_for_noise_by_its_words(text: str, kind: str) -> None:
    assert asked(text_terms(text)) == ({kind} if kind else set())


def test_benchmarks_are_both_tests_and_examples() -> None:
    assert asked(text_terms("benchmarks")) == {"test", "example"}


def test_a_path_stays_noise_while_one_of_its_kinds_is_not_wanted() -> None:
    assert not noisy("tests/a.py", asked(["test"]))
    assert noisy("tests/legacy/a.py", asked(["test"]))
    assert not noisy("tests/legacy/a.py", asked(["test", "legacy"]))


def test_a_version_is_outdated_beside_a_higher_one() -> None:
    paths = ["zod/v3/a.ts", "zod/v4/a.ts", "zod/v4/v10/b.ts", "zod/v4/v9/b.ts", "v2/c.go", "other/v1/d.go"]
    assert outdated(paths) == {"zod/v3/", "zod/v4/v9/"}


@pytest.mark.parametrize(
    ("path", "text", "expected"),
    [
        ("api/v1/a.go", "list users", True),
        ("api/v1/a.go", "list users in v1", False),
        ("api/v1/a.go", "list users in v2", True),
        ("api/v2/a.go", "list users", False),
        ("other/v1/a.go", "list users", False),
        ("api/v1x/a.go", "list users", False),
    ],
)
def test_an_outdated_version_is_noise_unless_it_is_named(path: str, text: str, expected: bool) -> None:
    assert noisy(path, asked(text_terms(text)), outdated(["api/v1/a.go", "api/v2/a.go", "other/v1/a.go"])) is expected


@given(st.lists(st.text("v123/a.", max_size=12)))
def test_the_newest_version_is_never_outdated(paths: list[str]) -> None:
    old = outdated(paths)
    assert all(folder.endswith("/") and any(path.startswith(folder) for path in paths) for folder in old)
    assert outdated([path for path in paths if any(path.startswith(folder) for folder in old)]) <= old
    assert kinds("".join(paths)) <= set(KINDS)
