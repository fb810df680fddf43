"""Settings come from five sources in order; a bad one costs itself, a problem that names it, and nothing else."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from pydantic.alias_generators import to_camel

from sightline.settings import IndexSettings, Problem, Settings, parse

SECRET = "hunter2"
NAMES = [
    "index",
    "search",
    "database",
    "dataDir",
    "data_dir",
    "log",
    "workers",
    "maxFileBytes",
    "max_file_bytes",
    "url",
]
KEYS = st.sampled_from([*NAMES, "include", "level", "_env_file", "__pydantic_self__", "self", "a.b", ""])
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.sampled_from(["", "[", "a,b", '["a"]', "[[[", "warning"])
)
VALUES = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4))


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """An environment without settings of ours."""
    for name in os.environ:
        if name.upper().startswith("SIGHTLINE_"):
            monkeypatch.delenv(name)
    return monkeypatch


def index(**values: object) -> dict[str, Any]:
    return {"index": values}


def test_without_sources_all_settings_have_their_defaults() -> None:
    assert parse() == (Settings(), ())


def test_nearer_sources_win(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("SIGHTLINE_INDEX_WORKERS", "1")
    sources: list[tuple[str, int]] = [("editor", 3), ("command_line", 4)]
    given: dict[str, Mapping[str, Any]] = {}
    assert parse()[0].index.workers == 1
    for source, workers in sources:
        given[source] = index(workers=workers)
        found, problems = parse(**given)
        assert (found.index.workers, problems) == (workers, ())


def test_sources_complete_each_other_setting_by_setting(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("SIGHTLINE_INDEX_WORKERS", "1")
    found, problems = parse(command_line={"log": {"level": "debug"}}, editor=index(max_file_bytes=4096))
    found = found.within(index(exclude=["*.min.js"]))
    assert problems == ()
    assert found.index == IndexSettings(workers=1, max_file_bytes=4096, exclude=("*.min.js",))
    assert found.log.level == "debug"


@pytest.mark.parametrize("spelling", ["maxFileBytes", "max_file_bytes"])
@pytest.mark.parametrize("other", ["maxFileBytes", "max_file_bytes"])
def test_a_setting_is_one_however_it_is_spelt(spelling: str, other: str) -> None:
    found, problems = parse(command_line={"index": {spelling: 2048}}, editor={"index": {other: 4096}})
    assert (found.index.max_file_bytes, problems) == (2048, ())


@pytest.mark.parametrize(
    ("variable", "value", "path", "expected"),
    [
        ("SIGHTLINE_DATABASE_URL", "postgresql://me:secret@host/", "database.url", "postgresql://me:secret@host/"),
        ("SIGHTLINE_EMBEDDING_PROVIDER", "model2vec", "embedding.provider", "model2vec"),
        ("SIGHTLINE_EMBEDDING_MODEL", "a/b", "embedding.model", "a/b"),
        ("SIGHTLINE_INDEX_MAX_FILE_BYTES", "2048", "index.max_file_bytes", 2048),
        ("SIGHTLINE_INDEX_INCLUDE", '["a,b", "c"]', "index.include", ("a,b", "c")),
        ("SIGHTLINE_INDEX_EXCLUDE", " *.min.js, ,dist/** ,", "index.exclude", ("*.min.js", "dist/**")),
        ("SIGHTLINE_SEARCH_LIMIT", "7", "search.limit", 7),
        ("SIGHTLINE_LOG_LEVEL", "info", "log.level", "info"),
        ("SIGHTLINE_DATA_DIR", "data", "data_dir", Path("data")),
        ("sightline_search_limit", "7", "search.limit", 7),
    ],
)
def test_a_variable_is_named_by_group_and_setting(
    environment: pytest.MonkeyPatch, variable: str, value: str, path: str, expected: object
) -> None:
    environment.setenv(variable, value)
    found, problems = parse()
    for name in path.split("."):
        found = getattr(found, name)
    assert (found, problems) == (expected, ())


def test_every_setting_can_be_set_by_a_variable(environment: pytest.MonkeyPatch) -> None:
    for group, field in Settings.model_fields.items():
        for name in getattr(field.annotation, "model_fields", {}):
            variable = f"SIGHTLINE_{group}_{name}".upper()
            environment.setenv(variable, "no-such-value")
            found, problems = parse()
            is_refused = [each.name for each in problems] == [f"{group}.{to_camel(name)}"]
            assert is_refused or "no-such-value" in str(getattr(getattr(found, group), name)), variable
            environment.delenv(variable)


@pytest.mark.parametrize(
    "variable",
    ["DATABASE_URL", "DATABASE", "INDEX_WORKERS", "LOG", "LOG_LEVEL", "EMBEDDING_MODEL", "DATADIR", "DATA_DIR"],
)
def test_variables_without_our_prefix_are_not_ours(environment: pytest.MonkeyPatch, variable: str) -> None:
    environment.setenv(variable, "postgresql://elsewhere/")
    assert parse() == (Settings(), ())


@pytest.mark.parametrize(
    ("values", "name"),
    [
        (index(workers=65), "index.workers"),
        (index(workers="many"), "index.workers"),
        (index(workers=None), "index.workers"),
        (index(max_file_bytes=10), "index.maxFileBytes"),
        (index(maxFileBytes=1.5), "index.maxFileBytes"),
        (index(include=[1]), "index.include"),
        (index(include={"a": 1}), "index.include"),
        (index(include='["a"'), "index.include"),
        (index(include="[" * 100_000), "index.include"),
        (index(nothing=1), "index.nothing"),
        ({"index": 7}, "index"),
        ({"search": {"mode": "best"}}, "search.mode"),
    ],
)
@pytest.mark.parametrize("source", ["command line", "editor"])
def test_a_bad_value_is_one_problem_and_leaves_the_default(values: dict[str, Any], name: str, source: str) -> None:
    found, problems = parse(**{source.replace(" ", "_"): values})
    assert [(each.name, each.source) for each in problems] == [(name, source)]
    assert found == Settings()
    assert str(problems[0]).startswith(f"{name} ({source}): ")


def test_a_bad_variable_costs_only_itself(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("SIGHTLINE_INDEX_WORKERS", "lots")
    environment.setenv("SIGHTLINE_INDEX_FOO", "1")
    environment.setenv("SIGHTLINE_INDEX_EXCLUDE", "dist")
    environment.setenv("SIGHTLINE_LOG_LEVEL", "loud")
    environment.setenv("SIGHTLINE_SEARCH", "all")
    found, problems = parse()
    assert {(each.name, each.source) for each in problems} == {
        (name, "environment") for name in ("index.workers", "index.foo", "log.level", "search")
    }
    assert len(problems) == 4
    assert found == Settings(index=IndexSettings(exclude=("dist",)))


def test_each_bad_value_of_each_source_is_a_problem_and_the_good_ones_stay() -> None:
    found, problems = parse(
        command_line={"index": {"workers": -1, "maxFileBytes": 2048}, "log": {"level": 1}},
        editor=index(workers=3, include=5),
    )
    assert {(each.name, each.source) for each in problems} == {
        ("index.workers", "command line"), ("log.level", "command line"), ("index.include", "editor"),
    }  # fmt: skip
    assert found.model_dump() == Settings(index=IndexSettings(workers=3, max_file_bytes=2048)).model_dump()


@pytest.mark.parametrize(
    "name", ["colour", "_env_file", "_cli_parse_args", "__pydantic_self__", "self", "index.workers", ""]
)
def test_an_unknown_setting_is_a_problem(name: str) -> None:
    found, problems = parse(editor={name: True, **index(workers=3)})
    assert (found.index.workers, [each.name for each in problems]) == (3, [name])


def test_a_folders_own_file_stands_between_the_environment_and_the_editor(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("SIGHTLINE_SEARCH_LIMIT", "3")
    environment.setenv("SIGHTLINE_INDEX_WORKERS", "2")
    file = {"search": {"limit": 5, "mode": "lexical"}, "index": {"exclude": ["gen"], "maxFileBytes": 4096}}
    found = parse(editor={"search": {"mode": "semantic"}}, command_line=index(max_file_bytes=2048))[0].within(file)
    assert (found.search.limit, found.search.mode) == (5, "semantic")
    assert found.index == IndexSettings(workers=2, exclude=("gen",), max_file_bytes=2048)
    assert found.within({"search": {"mode": "lexical"}}).search.mode == "semantic"


@pytest.mark.parametrize(
    "url", ["x", "ftp://host", "http://", "http://me:secret@host", "http://host?x=1", "http:// host", "file:///x"]
)
def test_the_address_of_a_workflow_server_is_one(url: str) -> None:
    found, problems = parse(editor={"workflow": {"url": url}})
    assert (found, [each.name for each in problems]) == (Settings(), ["workflow.url"])
    assert "secret" not in str(problems)


def test_an_empty_table_of_lua_is_no_problem() -> None:
    assert parse(editor={"index": [], "search": {}}) == (Settings(), ())


@pytest.mark.parametrize(
    "url",
    [
        f"postgresql://me:{SECRET}@host/db",
        f"postgresql://me:{SECRET}@one,two/db",
        f"postgresql://host/db?user=me&password={SECRET}",
        f"host=localhost password={SECRET}",
        f"postgresql://me:{SECRET}@[::1/db",
    ],
)
def test_a_password_in_an_editors_settings_is_refused_and_not_shown(url: str) -> None:
    found, problems = parse(editor={"database": {"url": url}})
    assert found.database.url == ""
    assert [(each.name, each.source) for each in problems] == [("database.url", "editor")]
    assert SECRET not in str(problems)
    assert "SIGHTLINE_DATABASE_URL" in str(problems[0])


@pytest.mark.parametrize(
    "url", ["postgresql://me@host/db", "postgresql:///db", "postgresql://host:5433/db?passfile=x", ""]
)
def test_a_url_without_a_password_is_taken_from_the_editor(url: str) -> None:
    found, problems = parse(editor={"database": {"url": url}})
    assert (found.database.url, problems) == (url, ())


def test_a_problem_never_shows_the_value(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("SIGHTLINE_DATABASE", SECRET)
    environment.setenv("SIGHTLINE_LOG_LEVEL", SECRET)
    _, problems = parse(editor={"database": SECRET, "dataDir": [SECRET], "index": {"include": f'["{SECRET}'}})
    assert len(problems) == 5
    assert SECRET not in str(problems)
    assert SECRET not in " ".join(map(str, problems))


@given(VALUES, VALUES)
def test_whatever_the_sources_hold_there_are_settings(editor: Any, line: Any) -> None:
    given = {
        "editor": editor if isinstance(editor, dict) else {"index": editor},
        "command_line": line if isinstance(line, dict) else {"search": line},
    }
    found, problems = parse(**given)
    assert isinstance(found, Settings)
    assert all(isinstance(each, Problem) and each.message for each in problems)
    assert len(set(problems)) == len(problems)


def test_settings_are_frozen() -> None:
    with pytest.raises(ValidationError):
        Settings().index.workers = 3  # type: ignore[misc]
    with pytest.raises(ValidationError):
        Settings().data_dir = Path()  # type: ignore[misc]
