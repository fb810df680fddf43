"""The registry under many callers and under kill -9: one id, one row, one database, and nothing that nobody lists."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from uuid import uuid4

import pytest

from projecting import RENAMING, UNDER_WAY, asked, at_once, config_of, configure, died, registry, remove, resolve
from sightline.adapters.postgres import Server
from sightline.core.identity import database_name
from sightline.errors import ProjectConflict, ProjectError, ProjectNotFound
from sightline.projects import Project, Projects

MOST_STATEMENTS = 60
AT_ONCE = 6
ORPHANS = (
    "select datname from pg_database where datname like 'sightline\\_%' and datname !~ 'registry|template'"
    " and datname not in (select database_name from projects)"
)


@pytest.fixture
async def projects(data_dir: Path) -> AsyncIterator[Projects]:
    server = await Server.open("", data_dir)
    yield Projects(server, "here")
    await server.close()


@pytest.fixture
def name() -> str:
    """That no other test's project has."""
    return f"shop-{uuid4().hex[:8]}"


async def rows_of(data_dir: Path, name: str) -> list[tuple[str, str, str]]:
    found = await asked(data_dir, "select id, database_name, state from projects where name ^@ $1", name)
    return [(row[0], row[1], row[2]) for row in found]


@pytest.mark.parametrize("kind", ["config", "folder"])
async def test_fifty_callers_in_eight_processes_make_one_project(
    data_dir: Path, tmp_path: Path, name: str, kind: str
) -> None:
    root = tmp_path / name
    root.mkdir()
    if kind == "config":
        configure(root, name)
    answers = await asyncio.to_thread(at_once, data_dir, root, 8, 50)
    assert len(answers) == 50
    ((project_id, database),) = set(answers)
    assert await rows_of(data_dir, name) == [(project_id, database, "ready")]
    assert await asked(data_dir, "select datname from pg_database where datname = $1", database) == [database]
    assert await asked(data_dir, ORPHANS) == []
    if kind == "config":
        assert config_of(root)["project"] == {"id": project_id, "name": name}
        assert [each.name for each in (root / ".sightline").iterdir()] == ["config.json"]


def by_config(root: Path, name: str) -> None:
    configure(root, name)


def by_folder(root: Path, name: str) -> None:
    """Nothing is written into the folder."""


async def at_every_statement(attempt: Callable[[int], Awaitable[bool]]) -> int:
    """Attempts, each killed one statement later, a few at a time, until one comes to its end; how many were killed."""
    for first in range(0, MOST_STATEMENTS, AT_ONCE):
        died = await asyncio.gather(*(attempt(first + number) for number in range(AT_ONCE)))
        if not all(died):
            return first + died.index(False)
    pytest.fail("it never came to its end")


@pytest.mark.parametrize(("begin", "moment"), [(by_config, 0), (by_folder, UNDER_WAY)])
async def test_a_creation_that_is_killed_after_or_in_any_statement_is_ended_by_the_next_call(
    data_dir: Path, tmp_path: Path, projects: Projects, name: str, begin: Callable[[Path, str], None], moment: float
) -> None:
    async def attempt(statement: int) -> bool:
        own = f"{name}-{statement}x"
        root = tmp_path / own
        root.mkdir()
        begin(root, own)
        has_died = await asyncio.to_thread(died, data_dir, statement + moment, resolve, root)
        left = await rows_of(data_dir, own)
        assert len(left) <= 1
        assert await asked(data_dir, ORPHANS) == []
        project = await projects.resolve(root)
        assert await rows_of(data_dir, own) == [(project.id, project.database, "ready")]
        assert not left or left[0][0] == project.id
        assert await asked(data_dir, "select 1 from pg_database where datname = $1", project.database) == [1]
        if begin is by_config:
            assert config_of(root)["project"]["id"] == project.id
        return has_died

    assert await at_every_statement(attempt) > 15, "all of them are counted"


async def test_an_id_that_was_not_written_back_is_written_by_the_next_call(
    data_dir: Path, tmp_path: Path, projects: Projects, name: str
) -> None:
    configure(tmp_path, name)
    assert await asyncio.to_thread(died, data_dir, RENAMING, resolve, tmp_path)
    assert "id" not in config_of(tmp_path)["project"]
    ((project_id, _, state),) = await rows_of(data_dir, name)
    assert state == "ready"
    assert (await projects.resolve(tmp_path)).id == project_id == config_of(tmp_path)["project"]["id"]


async def test_a_removal_that_is_killed_after_any_statement_stays_listed_and_is_ended_by_the_next(
    data_dir: Path, tmp_path: Path, projects: Projects, name: str
) -> None:
    reached = set()

    async def attempt(statement: int) -> bool:
        root = tmp_path / f"{name}-{statement}x"
        root.mkdir()
        project = await projects.resolve(root)
        has_died = await asyncio.to_thread(died, data_dir, statement, remove, project.id, project.name)
        left = await rows_of(data_dir, project.name)
        database = await asked(data_dir, "select 1 from pg_database where datname = $1", project.database)
        assert left or not database
        reached.add((left[0][2] if left else "gone", bool(database)))
        if left:
            assert project.id in {each.id for each in await projects.list()}
            if left[0][2] == "removing":
                with pytest.raises(ProjectError, match="is being removed"):
                    await projects.resolve(root)
            await projects.remove(project.id, project.name)
        assert await rows_of(data_dir, project.name) == []
        assert await asked(data_dir, "select 1 from pg_database where datname = $1", project.database) == []
        return has_died

    assert await at_every_statement(attempt) >= 5
    assert reached == {("ready", True), ("removing", True), ("removing", False), ("gone", False)}


async def test_a_publication_is_told_with_id_and_database(
    projects: Projects, tmp_path: Path, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    configure(tmp_path, name)
    with caplog.at_level(logging.INFO):
        project = await projects.resolve(tmp_path)
        await projects.resolve(tmp_path)
    told = f"Synced project to persistent registry: id={project.id} database={project.database}"
    assert [each for each in caplog.messages if each.startswith("Synced")] == [told]


async def test_the_default_project_is_always_there(data_dir: Path, projects: Projects) -> None:
    project = await projects.resolve(None)
    assert (project.id, project.name, project.resolved_by) == ("default", "default", "default")
    assert project.trace == ("explicit: no id was given", "config: there is no folder",
                             "workflow: no workflow server is set", "default: there is no folder")  # fmt: skip
    for _ in range(2):
        assert (await projects.explicit("default")).database == project.database
        assert (await projects.called("default")).id == "default"
        await projects.remove("default", "default")
    assert await asked(data_dir, "select id from projects where key = 'default'") == []
    assert (await projects.resolve(None)).database == project.database == database_name("default", "default")


CHANGES: list[tuple[str, dict[str, str], dict[str, str], str]] = [
    ("the same id under another name is renamed", {"id": "ID"}, {"name": "NAME-new", "id": "ID"}, ""),
    ("an id that was taken out is written back", {"id": "ID"}, {}, ""),
    ("an id that nobody has makes a project of it", {}, {"name": "NAME-other", "id": "ID-other"}, "ID-other"),
]


@pytest.mark.parametrize(("before", "after", "expected"), [case[1:] for case in CHANGES], ids=[c[0] for c in CHANGES])
async def test_what_a_config_file_may_change(
    data_dir: Path, tmp_path: Path, projects: Projects, name: str,
    before: dict[str, str], after: dict[str, str], expected: str,
) -> None:  # fmt: skip
    def told(values: dict[str, str]) -> dict[str, str]:
        return {key: value.replace("NAME", name).replace("ID", f"id-{name}") for key, value in values.items()}

    configure(tmp_path, **{"name": name, **told(before)})
    first = await projects.resolve(tmp_path)
    configure(tmp_path, **{"name": name, **told(after)})
    second = await projects.resolve(tmp_path)
    assert second.id == (told({"id": expected})["id"] if expected else first.id)
    assert (second.name, second.database == first.database) == (told(after).get("name", name), not expected)
    assert config_of(tmp_path)["project"]["id"] == second.id
    row = await asked(data_dir, "select name, database_name from projects where id = $1", first.id)
    assert row == [(second.name if not expected else name, first.database)]
    assert await projects.resolve(tmp_path) == second


async def refused(projects: Projects, root: Path) -> ProjectError:
    with pytest.raises(ProjectError) as caught:
        await projects.resolve(root)
    assert caught.value.hint
    return caught.value


async def test_a_name_under_another_id_is_a_conflict_that_names_both(
    data_dir: Path, tmp_path: Path, projects: Projects, name: str
) -> None:
    first = configured(tmp_path / "one", name)
    project = await projects.resolve(first)
    other = configured(tmp_path / "two", name, id="another-id")
    before = await asked(data_dir, "select * from projects order by id")
    error = await refused(projects, other)
    assert isinstance(error, ProjectConflict)
    assert {project.id, "another-id"} <= set(str(error).replace(",", "").split())
    assert project.id in error.hint
    assert config_of(other)["project"] == {"name": name, "id": "another-id"}
    assert await asked(data_dir, "select * from projects order by id") == before


def configured(root: Path, name: str, **more: str) -> Path:
    root.mkdir()
    configure(root, name, **more)
    return root


@pytest.mark.parametrize("with_id", [True, False])
async def test_another_database_name_is_a_conflict_and_moves_nothing(
    data_dir: Path, tmp_path: Path, projects: Projects, name: str, with_id: bool
) -> None:
    root = configured(tmp_path / "one", name, database_name=f"sightline_own_{name[-8:]}")
    project = await projects.resolve(root)
    assert project.database == f"sightline_own_{name[-8:]}"
    configure(root, name, database_name="sightline_elsewhere", **({"id": project.id} if with_id else {}))
    error = await refused(projects, root)
    assert isinstance(error, ProjectConflict)
    assert project.database in str(error)
    assert await asked(data_dir, "select 1 from pg_database where datname = 'sightline_elsewhere'") == []
    configure(root, name)
    assert (await projects.resolve(root)).database == project.database


async def test_a_database_that_is_anothers_is_never_taken(
    data_dir: Path, tmp_path: Path, projects: Projects, name: str
) -> None:
    mine = await projects.resolve(configured(tmp_path / "mine", name))
    error = await refused(projects, configured(tmp_path / "theirs", f"{name}-2", database_name=mine.database))
    assert isinstance(error, ProjectConflict)
    assert mine.id not in str(error) + error.hint
    foreign = f"sightline_foreign_{name[-8:]}"
    lost = f"sightline_lost_{name[-8:]}"
    async with registry(data_dir) as connection:
        await connection.execute(f"create database {foreign} template template0")
        await connection.execute(f"create database {lost} template {mine.database}")
    server = projects._server
    async with server.unprepared(foreign) as connection:
        await connection.execute("create table customers (id int)")
    for number, database in enumerate((foreign, lost)):
        root = configured(tmp_path / f"taken{number}", f"{name}-{database}", database_name=database)
        assert isinstance(await refused(projects, root), ProjectConflict)
        assert await asked(data_dir, "select 1 from projects where database_name = $1", database) == [], (
            "nothing is left"
        )
        # One that broke off before it was looked at is removed without what is not its own.
        await claimed(data_dir, f"id-{database}", database)
        await projects.remove(f"id-{database}".replace("_", "-"), database)
        assert await asked(data_dir, "select 1 from projects where database_name = $1", database) == []
    async with server.unprepared(foreign) as connection:
        assert (
            await connection.fetchval("select count(*) from pg_class where relname in ('schema_migrations', 'meta')")
            == 0
        )
        assert await connection.fetchval("select count(*) from customers") == 0
    async with registry(data_dir) as connection:
        await connection.execute(f"drop database {foreign}")
        await connection.execute(f"drop database {lost}")


async def claimed(data_dir: Path, project_id: str, database: str) -> None:
    """A creation that broke off after its row."""
    async with registry(data_dir) as connection:
        await connection.execute(
            "insert into projects (id, key, name, database_name) values ($1, $2::text, $2::text, $2::text)",
            project_id.replace("_", "-"),
            database,
        )


async def test_a_project_that_is_being_removed_is_an_error_for_its_config(
    data_dir: Path, tmp_path: Path, projects: Projects, name: str
) -> None:
    project = await projects.resolve(configured(tmp_path / "one", name))
    async with registry(data_dir) as connection:
        await connection.execute("update projects set state = 'removing' where id = $1", project.id)
    for with_id in (True, False):
        configure(tmp_path / "one", name, **({"id": project.id} if with_id else {}))
        assert "is being removed" in str(await refused(projects, tmp_path / "one"))
    await projects.remove(project.id, name)
    assert (await projects.resolve(tmp_path / "one")).id != project.id


async def test_a_config_takes_over_the_folders_own_project_but_never_another_folders(
    tmp_path: Path, projects: Projects, name: str
) -> None:
    one, two = tmp_path / f"{name}-one", tmp_path / f"{name}-two"
    one.mkdir()
    two.mkdir()
    own = await projects.resolve(one)
    configure(two, f"{name}-b", id=own.id)
    assert (await projects.resolve(two)).id == own.id
    assert (await projects.resolve(one)).id == own.id, "the folder has still its own"
    configure(one, f"{name}-c", id=own.id)
    assert (await projects.resolve(one)).name == f"{name}-c"
    configure(one, f"{name}-c")
    assert (await projects.resolve(one)).id == own.id, "found by the name of its config"


async def test_names_that_look_or_fold_alike_are_never_mixed(tmp_path: Path, projects: Projects, name: str) -> None:
    spellings = [name, name.upper(), name.replace("-", "_"), name.replace("-", " "), name.replace("s", "ſ"), f"{name}é"]
    found: list[Project] = []
    for number, spelling in enumerate(spellings):
        found.append(await projects.resolve(configured(tmp_path / str(number), spelling)))
    assert len({each.id for each in found}) == len({each.database for each in found}) == len(spellings)
    composed = await projects.resolve(configured(tmp_path / "nfd", f"{name}e\u0301"))
    assert composed.id == found[-1].id, "what looks the same to the letter is the same"
    for each in found:
        assert (await projects.called(each.name)).id == each.id


async def test_two_projects_of_one_name_are_told_apart_by_their_ids(
    tmp_path: Path, projects: Projects, name: str
) -> None:
    own = tmp_path / name
    own.mkdir()
    folder = await projects.resolve(own)
    config = await projects.resolve(configured(tmp_path / "other", name))
    with pytest.raises(ProjectError, match="2 projects are called") as caught:
        await projects.called(name)
    assert {folder.id, config.id} <= set(caught.value.hint.replace(",", "").replace(".", "").split())
    assert (await projects.called(config.id)).id == config.id
    with pytest.raises(ProjectNotFound):
        await projects.called(f"{name}-x")


async def test_a_description_is_kept_with_the_project(
    data_dir: Path, tmp_path: Path, projects: Projects, name: str
) -> None:
    for text in ("The shop.", "All of the shop.", ""):
        configure(tmp_path, name, description=text)
        project = await projects.resolve(tmp_path)
    (metadata,) = await asked(data_dir, "select metadata from projects where id = $1", project.id)
    assert json.loads(metadata) == {"description": "All of the shop."}


async def test_renaming_leaves_id_and_database_and_respects_config_files(
    tmp_path: Path, projects: Projects, name: str
) -> None:
    own = tmp_path / name
    own.mkdir()
    project = await projects.resolve(own)
    assert (await projects.registry.rename(project.id, f"{name}-new")).database == project.database
    again = await projects.resolve(own)
    assert (again.id, again.name) == (project.id, f"{name}-new")
    config = await projects.resolve(configured(tmp_path / "other", f"{name}-c"))
    with pytest.raises(ProjectConflict, match="a config file gives"):
        await projects.registry.rename(config.id, "x")
    with pytest.raises(ProjectNotFound):
        await projects.registry.rename("nobody", "x")
