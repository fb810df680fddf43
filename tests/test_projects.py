"""Projects: which one a folder has, how it is made whatever interrupts that, and how it goes."""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
import subprocess
from collections.abc import Awaitable, Callable
from pathlib import Path
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sightline.adapters import migrations
from sightline.adapters.postgres import REGISTRY, Server
from sightline.core.identity import ID_LENGTH, database_name, parse_id
from sightline.errors import DatabaseUnfit, FolderError, ProjectError, ProjectNotFound
from sightline.projects import Project, Projects
from sightline.workspaces import Workspace, Workspaces
from support import Files, command, environment, index, paths_of, run

CODE = "def remember_session():\n    return 1\n"


async def registry_value(server: Server, query: str, *arguments: object) -> object:
    async with server.connection(REGISTRY) as connection:
        return await connection.fetchval(query, *arguments)


async def count_of(server: Server, root: Path) -> tuple[int, int]:
    """How many projects and databases a folder has."""
    async with server.connection(REGISTRY) as connection:
        names = await connection.fetch("select database_name from projects where key like '%:' || $1", str(root))
        databases = await connection.fetch(
            "select datname from pg_database where datname = any($1::text[])", [row[0] for row in names]
        )
        return len(names), len(databases)


@pytest.mark.parametrize(
    "text", ["a", "0", "api", "my-api-2", "a" * 50, "1-2-3", "a626390e-e245-420f-a8f2-30be7f63a867"]
)
def test_an_id_is_taken(text: str) -> None:
    assert parse_id(text) == text


@pytest.mark.parametrize(
    "text",
    [
        "", "-", "-a", "a-", "a--b", "A", "Api", "a_b", "a.b", "a b", " a", "a ", "a\n", "\na", "a\0", "\0", "a/b", "../a",
        "é", "а", "ａ", "ſ", "\u212a", "٣", "a\u200b", "a\u2010b", "😀", "a" * 51, "a'b", 'a"b', "a;drop", "%61",
    ],
)  # fmt: skip
def test_what_is_no_id_is_refused_without_being_repeated(text: str) -> None:
    with pytest.raises(ProjectError, match="^that is no project id$") as caught:
        parse_id(text)
    assert "lower-case" in caught.value.hint


@given(st.text())
def test_an_id_is_only_what_the_design_says(text: str) -> None:
    try:
        parse_id(text)
    except ProjectError:
        assert not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", text) or len(text) > ID_LENGTH
    else:
        assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", text)
        assert len(text) <= ID_LENGTH


@pytest.mark.parametrize(
    ("name", "slug"),
    [
        ("api", "api"), ("My API", "my_api"), ("", "project"), ("...", "project"), ("日本語", "project"), ("café-x", "caf_x"),
        ("__init__", "init"), ("a" * 80, "a" * 30), ("a" * 29 + " b", "a" * 29), ('"; drop table x; --', "drop_table_x"),
        ("😀 tools 😀", "tools"), ("Straße", "stra_e"), ("\0\n", "project"),
    ],
)  # fmt: skip
def test_a_databases_name_tells_the_projects(name: str, slug: str) -> None:
    assert re.fullmatch(f"sightline_{slug}_[0-9a-f]{{8}}", database_name(name, "some-id"))


@given(st.text(), st.uuids(), st.uuids())
def test_a_databases_name_is_short_plain_and_as_unique_as_the_id(name: str, one: object, other: object) -> None:
    first, second = database_name(name, str(one)), database_name(name, str(other))
    assert re.fullmatch(r"sightline_[a-z0-9_]+_[0-9a-f]{8}", first)
    assert len(first.encode()) <= 49
    assert (first == second) == (one == other)
    assert first == database_name(name, str(one))


async def test_two_folders_of_one_name_are_two_projects(sightline: Workspaces, tmp_path: Path) -> None:
    name = f"api{uuid4().hex[:6]}"
    roots = [tmp_path / place / name for place in ("one", "two", "three")]
    for root in roots:
        root.mkdir(parents=True)
    projects = [(await sightline.open(root)).project for root in roots]
    assert [each.name for each in projects] == [name, f"{name}-2", f"{name}-3"]
    assert len({each.id for each in projects}) == len({each.database for each in projects}) == 3
    assert [(await sightline.open(root)).project for root in roots] == projects


async def test_folders_of_one_name_at_once_get_different_names(sightline: Workspaces, tmp_path: Path) -> None:
    name = f"api{uuid4().hex[:6]}"
    roots = [tmp_path / str(number) / name for number in range(8)]
    for root in roots:
        root.mkdir(parents=True)
    opened = await asyncio.gather(*(sightline.projects.resolve(root) for root in roots))
    assert len({each.name for each in opened}) == 8


async def test_a_projects_trace_says_how_it_was_found(workspace: Workspace, sightline: Workspaces) -> None:
    project = workspace.project
    assert project.resolved_by == "folder"
    assert project.trace == (
        "explicit: no id was given",
        "config: no .sightline/config.json from here up to the repository's root",
        "workflow: no workflow server is set",
        "folder: the own project of project",
    )
    named = await sightline.projects.explicit(project.id)
    assert (named.id, named.name, named.database) == (project.id, project.name, project.database)
    assert (named.resolved_by, named.trace) == ("explicit", ("explicit: the id was given",))


async def test_twenty_tasks_on_a_new_folder_make_one_project(sightline: Workspaces, folder: Files) -> None:
    found = await asyncio.gather(*(sightline.projects.resolve(folder.root) for _ in range(20)))
    assert len({each.id for each in found}) == 1
    assert await count_of(sightline.server, folder.root) == (1, 1)


async def test_four_processes_on_a_new_folder_make_one_project(
    sightline: Workspaces, data_dir: Path, folder: Files
) -> None:
    started = [
        subprocess.Popen(
            command("index", folder.root, "--json"), env=environment(data_dir), stdout=subprocess.PIPE, text=True
        )
        for _ in range(4)
    ]
    outputs = [await asyncio.to_thread(each.communicate, timeout=300) for each in started]
    assert len({json.loads(output)["projectId"] for output, _ in outputs}) == 1
    assert await count_of(sightline.server, folder.root) == (1, 1)


async def only_the_row(server: Server, project: Project) -> None:
    await server.drop_database(project.database)
    await registry_value(server, "update projects set state = 'creating', schema_version = 0 where id = $1", project.id)
    await registry_value(server, "delete from project_roots where project_id = $1", project.id)


async def row_and_database(server: Server, project: Project) -> None:
    await registry_value(server, "update projects set state = 'creating', schema_version = 0 where id = $1", project.id)


async def no_database(server: Server, project: Project) -> None:
    await server.drop_database(project.database)


async def an_empty_database(server: Server, project: Project) -> None:
    await server.drop_database(project.database)
    await registry_value(server, f'create database "{project.database}" template template0')
    await registry_value(server, "update projects set schema_version = 0 where id = $1", project.id)


CRASHES: list[Callable[[Server, Project], Awaitable[None]]] = [
    only_the_row, row_and_database, no_database, an_empty_database
]  # fmt: skip


@pytest.mark.parametrize("crash", CRASHES)
async def test_a_creation_that_broke_off_is_ended_by_the_next_call(
    sightline: Workspaces, workspace: Workspace, folder: Files, crash: Callable[[Server, Project], Awaitable[None]]
) -> None:
    await crash(sightline.server, workspace.project)
    again = await sightline.open(folder.root)
    assert (again.project.id, again.project.database) == (workspace.project.id, workspace.project.database)
    folder.write({"a.py": CODE})
    await index(again)
    assert await paths_of(again, "remember session") == ["a.py"]
    assert await count_of(sightline.server, folder.root) == (1, 1)


@pytest.mark.parametrize("crash", CRASHES)
async def test_naming_a_project_ends_its_creation_as_well(
    sightline: Workspaces, workspace: Workspace, crash: Callable[[Server, Project], Awaitable[None]]
) -> None:
    await crash(sightline.server, workspace.project)
    named = await sightline.projects.explicit(workspace.project.id)
    async with sightline.server.connection(named.database) as connection:
        assert await connection.fetchval("select count(*) from code_chunks") == 0


async def test_a_database_of_an_older_sightline_is_brought_up_to_date(
    sightline: Workspaces, workspace: Workspace, folder: Files
) -> None:
    await registry_value(sightline.server, "update projects set schema_version = 0 where id = $1", workspace.project.id)
    await sightline.open(folder.root)
    version = await registry_value(
        sightline.server, "select schema_version from projects where id = $1", workspace.project.id
    )
    assert version == migrations.latest_version("project")


@pytest.mark.parametrize("drop", ["drop table code_chunks cascade", "drop extension vector cascade"])
async def test_a_database_that_lacks_something_is_an_error(
    sightline: Workspaces, workspace: Workspace, folder: Files, drop: str
) -> None:
    async with sightline.server.connection(workspace.project.database) as connection:
        await connection.execute(drop)
    await row_and_database(sightline.server, workspace.project)
    with pytest.raises(DatabaseUnfit, match="lacks its tables|no vector extension"):
        await sightline.open(folder.root)


async def test_an_explicit_project_serves_another_folder(
    sightline: Workspaces, workspace: Workspace, tmp_path: Path
) -> None:
    other = Files(tmp_path / "other")
    other.write({"b.py": CODE})
    opened = await sightline.open(other.root, workspace.project.id)
    assert (opened.project.id, opened.project.resolved_by) == (workspace.project.id, "explicit")
    await index(opened)
    assert await paths_of(opened, "remember session") == ["b.py"]
    assert await paths_of(workspace, "remember session") == []
    assert await count_of(sightline.server, other.root) == (0, 0)


@pytest.mark.parametrize(("project_id", "expected"), [("unknown-id", ProjectNotFound), ("No Id", ProjectError)])
async def test_an_id_that_names_nothing_is_an_error_and_never_another(
    sightline: Workspaces, folder: Files, project_id: str, expected: type[ProjectError]
) -> None:
    for attempt in (
        sightline.open(folder.root, project_id),
        sightline.projects.explicit(project_id),
        sightline.projects.remove(project_id, "project"),
    ):
        with pytest.raises(expected) as caught:
            await attempt
        assert type(caught.value) is expected
    assert await count_of(sightline.server, folder.root) == (0, 0)


async def test_removing_needs_the_projects_name(sightline: Workspaces, workspace: Workspace, folder: Files) -> None:
    folder.write({"a.py": CODE})
    await index(workspace)
    for confirm in ("", "wrong", workspace.project.id, workspace.project.name.upper(), workspace.project.name + " "):
        with pytest.raises(ProjectError, match="not the project's name"):
            await sightline.projects.remove(workspace.project.id, confirm)
    assert await paths_of(workspace, "remember session") == ["a.py"]


async def test_removing_drops_the_database_and_all_rows(
    sightline: Workspaces, workspace: Workspace, folder: Files
) -> None:
    folder.write({"a.py": CODE})
    await index(workspace)
    project = workspace.project
    await sightline.projects.remove(project.id, project.name)
    assert await count_of(sightline.server, folder.root) == (0, 0)
    assert (
        await registry_value(sightline.server, "select count(*) from pg_database where datname = $1", project.database)
        == 0
    )
    assert (
        await registry_value(sightline.server, "select count(*) from project_roots where project_id = $1", project.id)
        == 0
    )
    with pytest.raises(ProjectNotFound):
        await sightline.projects.explicit(project.id)
    fresh = await sightline.open(folder.root)
    assert fresh.project.id != project.id
    assert await paths_of(fresh, "remember session") == []


async def test_a_project_that_is_being_removed_is_an_error_until_it_is_gone(
    sightline: Workspaces, workspace: Workspace, folder: Files
) -> None:
    project = workspace.project
    await registry_value(sightline.server, "update projects set state = 'removing' where id = $1", project.id)
    for attempt in (sightline.open(folder.root), sightline.projects.explicit(project.id)):
        with pytest.raises(ProjectError, match=f"the project {project.id} is being removed") as caught:
            await attempt
        assert caught.value.hint
    await sightline.projects.remove(project.id, project.name)
    assert (await sightline.open(folder.root)).project.id != project.id


async def test_opening_while_removing_leaves_no_database_without_a_row(
    sightline: Workspaces, workspace: Workspace, folder: Files
) -> None:
    project = workspace.project

    async def remove() -> None:
        await sightline.projects.remove(project.id, project.name)

    async def resolve() -> None:
        try:
            await sightline.projects.resolve(folder.root)
        except ProjectError:
            pass  # it came while the removal went on

    await asyncio.gather(remove(), *(resolve() for _ in range(10)))
    again = await sightline.projects.resolve(folder.root)
    assert again.id != project.id
    left = "select count(*) from pg_database where datname = $1"
    assert await registry_value(sightline.server, left, project.database) == 0


async def test_a_project_that_is_used_again_within_a_minute_is_not_written(
    sightline: Workspaces, workspace: Workspace
) -> None:
    registry = await sightline.server.pool(REGISTRY)
    rows = []
    for _ in range(3):
        await sightline.projects.explicit(workspace.project.id)
        query = "select xmin::text, last_used_at from projects where id = $1"
        rows.append(await registry.fetchrow(query, workspace.project.id))
    assert rows[0] == rows[1] == rows[2]


async def test_all_projects_are_listed_with_what_they_hold(
    sightline: Workspaces, workspace: Workspace, folder: Files
) -> None:
    folder.write({"a.py": CODE, "b.py": CODE})
    await index(workspace)
    listed = {each.id: each for each in await sightline.projects.list()}
    assert len(listed) == await sightline.projects.count()
    mine = listed[workspace.project.id]
    assert (mine.name, mine.database, mine.roots) == (
        workspace.project.name,
        workspace.project.database,
        (str(folder.root),),
    )
    assert mine.chunks == 2
    assert mine.size_bytes > 1_000_000
    assert mine.last_used_at


async def test_the_project_used_last_is_listed_first(sightline: Workspaces, tmp_path: Path) -> None:
    roots = [tmp_path / name for name in ("a", "b", "c")]
    for root in roots:
        root.mkdir()
        await sightline.open(root)
    registry = await sightline.server.pool(REGISTRY)
    await registry.execute(
        "update projects set last_used_at = last_used_at - interval '2 minutes'"
        " where id in (select project_id from project_roots where path = any($1))", list(map(str, roots)),
    )  # fmt: skip
    await sightline.open(roots[1])
    listed = [root for each in await sightline.projects.list() for root in each.roots]
    assert [root for root in listed if root in map(str, roots)] == [str(roots[place]) for place in (1, 2, 0)]


@pytest.mark.parametrize("drop_tables", [False, True])
async def test_the_list_survives_a_database_that_vanished(
    sightline: Workspaces, workspace: Workspace, drop_tables: bool
) -> None:
    project = workspace.project
    if drop_tables:
        async with sightline.server.connection(project.database) as connection:
            await connection.execute("drop table code_chunks cascade")
    else:
        await sightline.server.drop_database(project.database)
    mine = next(each for each in await sightline.projects.list() if each.id == project.id)
    assert mine.chunks == 0
    assert (mine.size_bytes == 0) is not drop_tables


@pytest.mark.parametrize(
    "name",
    [
        "quo'te\"s",
        "spa ces  two",
        "emoji 😀",
        "日本語",
        "per%cent_under",
        "-dash",
        "new\nline",
        "[bold]",
        "$HOME",
        "a" * 200,
    ],
)
async def test_a_folder_may_have_any_name(sightline: Workspaces, tmp_path: Path, name: str) -> None:
    root = tmp_path / name
    root.mkdir()
    workspace = await sightline.open(root)
    assert workspace.project.name.startswith(name)
    assert (await sightline.open(root)).project == workspace.project
    await sightline.projects.remove(workspace.project.id, workspace.project.name)


@pytest.mark.skipif(os.name != "posix", reason="names are bytes on POSIX systems only")
async def test_a_folder_whose_name_is_no_text_is_refused(sightline: Workspaces, tmp_path: Path) -> None:
    root = tmp_path / os.fsdecode(b"caf\xe9")
    root.mkdir()
    with pytest.raises(FolderError, match="not valid UTF-8") as caught:
        await sightline.open(root)
    str(caught.value).encode()


async def test_the_root_of_the_file_system_has_a_name(sightline: Workspaces) -> None:
    project = await sightline.projects.resolve(Path("/"))
    assert project.name.startswith("root")
    await sightline.projects.remove(project.id, project.name)


async def test_hosts_that_share_a_server_have_projects_of_their_own(sightline: Workspaces, folder: Files) -> None:
    one, other = (Projects(sightline.server, uuid4().hex) for _ in range(2))
    assert (await one.resolve(folder.root)).id != (await other.resolve(folder.root)).id


def test_odd_projects_are_printed(data_dir: Path, tmp_path: Path) -> None:
    files = Files(tmp_path / "[/bold] 😀")
    files.write({"a.py": CODE})
    assert run(data_dir, "index", files.root).returncode == 0
    done = run(data_dir, "projects")
    assert done.returncode == 0, done.stderr
    assert "[/bold] 😀" in done.stdout
    assert str(files.root) in done.stdout
    shutil.rmtree(files.root)
