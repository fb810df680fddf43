"""The care of projects: what is shown of them, what is left over and goes, and files that projects travel in."""

from __future__ import annotations

import asyncio
import hashlib
import itertools
import json
import re
import shutil
import zipfile
from collections import Counter
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from projecting import bring, died
from sightline.adapters import portable
from sightline.adapters.postgres import REGISTRY, quoted
from sightline.adapters.registry import Wish
from sightline.care import Finding
from sightline.core.identity import config_key, database_name
from sightline.errors import FolderError, ProjectConflict, ProjectError, ProjectNotFound, SightlineError
from sightline.projects import Project
from sightline.workspaces import Workspace, Workspaces
from support import Files, content_of, index, paths_of

CODE = {
    "src/store.py": "class SessionStore:\n    def save(self, session):\n        return session\n",
    "src/web.js": "function serveRequest(request) { return request }\n",
    "README.md": "# Sessions\n\nWhere sessions are persisted.\n",
}


STATEMENTS_APART = 11
"""An import has some eighty."""


@pytest.fixture
async def stocked(workspace: Workspace, folder: Files) -> Workspace:
    """A project with something in it."""
    folder.write(CODE)
    await index(workspace)
    return workspace


async def run(sightline: Workspaces, statement: str, *arguments: object, database: str = REGISTRY) -> Any:
    async with sightline.server.unprepared(database) as connection:
        return await connection.fetchval(statement, *arguments)


async def everything(sightline: Workspaces) -> tuple[Any, ...]:
    """All rows of the registry but for times, and all databases."""
    return (
        await run(sightline, "select array_agg((id, key, name, database_name, state)::text order by id) from projects"),
        await run(sightline, "select array_agg((project_id, host_id, path)::text order by path) from project_roots"),
        await run(sightline, "select array_agg(datname::text order by datname) from pg_database"),
    )


async def found(sightline: Workspaces, project: Project) -> Finding | None:
    """What is found of one project: others in this run's registry have their own troubles."""
    mine = (each for each in await sightline.care.findings() if project.id in (each.project_id, each.database))
    return next(mine, None)


async def test_everything_of_a_project_is_shown(sightline: Workspaces, stocked: Workspace, folder: Files) -> None:
    project = stocked.project
    await run(
        sightline, "insert into project_roots (project_id, host_id, path) values ($1, 'other', '/far')", project.id
    )
    details = await sightline.care.show(project.id)
    assert (details.entry.id, details.entry.name, details.entry.state) == (project.id, project.name, "ready")
    assert details.size_bytes > 1_000_000
    assert details.created_at <= details.last_used_at
    roots = {each.path: (each.is_here, each.exists) for each in details.roots}
    assert roots == {str(folder.root): (True, True), "/far": (False, None)}
    (checkout,) = details.checkouts
    assert (checkout.path, checkout.is_here, checkout.files) == (str(folder.root), True, 3)
    assert checkout.chunks >= 3
    assert checkout.last_indexed_at is not None
    assert details.models == (f"{sightline.embedder.identity.name} {sightline.embedder.identity.version}",)
    assert details.known_texts >= 3
    assert not details.problem


async def test_a_project_without_its_database_is_shown_with_the_reason(
    sightline: Workspaces, workspace: Workspace
) -> None:
    await sightline.server.drop_database(workspace.project.database)
    details = await sightline.care.show(workspace.project.id)
    assert details.problem == "the database does not exist"
    assert (details.size_bytes, details.checkouts) == (0, ())


@pytest.mark.parametrize("name", ["billing", "Billing 2", "名前", "a" * 255, "'; drop table projects; --", "-x", "[b]"])
async def test_a_renamed_project_keeps_all_but_its_name(
    sightline: Workspaces, stocked: Workspace, folder: Files, name: str
) -> None:
    entry = await sightline.care.rename(stocked.project.id, name)
    again = (await sightline.open(folder.root)).project
    assert (again.id, again.name, again.database) == (stocked.project.id, name, stocked.project.database)
    assert entry.name == name
    assert await paths_of(stocked, "session") != []


@pytest.mark.parametrize("name", ["", " ", "a\nb", "a\0b", "a" * 256, "\u202eabc", "\x1b[31m", "default", "a\u200bb"])
async def test_what_is_no_name_is_refused(sightline: Workspaces, workspace: Workspace, name: str) -> None:
    before = await everything(sightline)
    with pytest.raises(ProjectError, match="no name for a project"):
        await sightline.care.rename(workspace.project.id, name)
    assert await everything(sightline) == before


async def test_a_name_of_a_config_file_is_changed_there(sightline: Workspaces) -> None:
    name = f"team-{uuid4().hex[:8]}"
    entry = await sightline.projects.registry.claim(Wish(config_key(name), name, is_configured=True))
    with pytest.raises(ProjectConflict, match="config file gives the project its name") as caught:
        await sightline.care.rename(entry.id, "other")
    assert "project.name" in caught.value.hint


@pytest.mark.parametrize("work", ["show", "rename", "export"])
@pytest.mark.parametrize(
    ("project_id", "kind"), [("no-such", ProjectNotFound), ("No Id", ProjectError), ("", ProjectError)]
)
async def test_an_id_that_nothing_has_is_an_error(
    sightline: Workspaces, tmp_path: Path, work: str, project_id: str, kind: type[SightlineError]
) -> None:
    care = sightline.care
    calls: dict[str, Callable[[], Awaitable[object]]] = {
        "show": lambda: care.show(project_id), "rename": lambda: care.rename(project_id, "x"),
        "export": lambda: care.export(project_id, tmp_path / "x.zip"),
    }  # fmt: skip
    with pytest.raises(kind):
        await calls[work]()
    assert list(tmp_path.iterdir()) == []


async def lose_database(sightline: Workspaces, project: Project, root: Path) -> None:
    await sightline.server.drop_database(project.database)


async def break_off_removal(sightline: Workspaces, project: Project, root: Path) -> None:
    await run(sightline, "update projects set state = 'removing' where id = $1", project.id)


async def break_off_creation(sightline: Workspaces, project: Project, root: Path) -> None:
    await run(
        sightline, "update projects set state = 'creating', updated_at = now() - interval '2 hours' where id = $1",
        project.id,
    )  # fmt: skip


async def lose_folder(sightline: Workspaces, project: Project, root: Path) -> None:
    shutil.rmtree(root)


DAMAGES = {
    "missing": lose_database, "removing": break_off_removal, "creating": break_off_creation, "vanished": lose_folder
}  # fmt: skip


@pytest.mark.parametrize("kind", DAMAGES)
async def test_what_is_left_over_is_found_and_goes(
    sightline: Workspaces, workspace: Workspace, folder: Files, kind: str
) -> None:
    project = workspace.project
    assert await found(sightline, project) is None
    await DAMAGES[kind](sightline, project, folder.root)
    before = await everything(sightline)
    finding = await found(sightline, project)
    assert finding is not None
    assert (finding.kind, finding.name, finding.database, finding.keep) == (kind, project.name, project.database, "")
    assert [each for each in await sightline.care.findings([finding.kind]) if each.project_id == project.id] == [
        finding
    ]
    assert await everything(sightline) == before  # to look changes nothing
    assert await sightline.care.prune(finding)
    assert not await sightline.care.prune(finding)
    with pytest.raises(ProjectNotFound):
        await sightline.care.show(project.id)
    assert not await run(sightline, "select count(*) from pg_database where datname = $1", project.database)
    folder.root.mkdir(exist_ok=True)
    assert (await sightline.open(folder.root)).project.id != project.id


async def test_what_is_needed_again_meanwhile_stays(sightline: Workspaces, workspace: Workspace, folder: Files) -> None:
    shutil.rmtree(folder.root)
    finding = await found(sightline, workspace.project)
    assert finding is not None
    folder.root.mkdir()
    assert not await sightline.care.prune(finding)
    assert (await sightline.open(folder.root)).project.id == workspace.project.id


async def test_a_project_that_others_may_have_is_not_left_over(
    sightline: Workspaces, workspace: Workspace, folder: Files, tmp_path: Path
) -> None:
    """One folder of another host is enough, or one more here."""
    shutil.rmtree(folder.root)
    add = "insert into project_roots (project_id, host_id, path) values ($1, $2, $3)"
    await run(sightline, add, workspace.project.id, "another-host", str(folder.root))
    assert await found(sightline, workspace.project) is None
    other = tmp_path / "other"
    other.mkdir()
    here = await run(sightline, "select host_id from project_roots where project_id = $1 and host_id <> $2",
                     workspace.project.id, "another-host")  # fmt: skip
    await run(sightline, "delete from project_roots where host_id = 'another-host'")
    await run(sightline, add, workspace.project.id, here, str(other))
    assert await found(sightline, workspace.project) is None


async def test_a_folder_that_cannot_be_looked_at_is_not_taken_for_gone(
    sightline: Workspaces, workspace: Workspace, folder: Files
) -> None:
    shutil.rmtree(folder.root)
    rename = "update project_roots set path = $2 where project_id = $1"
    for path in ("/" + 300 * "x", "/" + 5000 * "x/"):
        await run(sightline, rename, workspace.project.id, path)
        assert await found(sightline, workspace.project) is None
    for path in (f"{Path(__file__)}/x", "/no/such/folder"):
        await run(sightline, rename, workspace.project.id, path)
        assert await found(sightline, workspace.project) is not None


async def test_a_creation_that_goes_on_is_not_left_over(sightline: Workspaces, tmp_path: Path) -> None:
    wish = Wish(f"folder:test:{tmp_path}", "project", None)
    entry = await sightline.projects.registry.claim(wish)
    assert entry.state == "creating"
    assert not [each for each in await sightline.care.findings() if each.project_id == entry.id]


@pytest.mark.parametrize(
    ("name", "has_index", "keep"),
    [
        (lambda: database_name("lost", uuid4().hex), True, ""),
        (lambda: database_name("lost", uuid4().hex), False, "it holds no index of Sightline's"),
        (lambda: f"sightline_mine_{uuid4().hex[:4]}", True, "its name is not one that Sightline gives"),
        (lambda: f'sightline_"odd" {uuid4().hex[:8]}', True, "its name is not one that Sightline gives"),
    ],
)
async def test_a_database_of_no_project_is_found_and_goes_only_if_it_is_ours(
    sightline: Workspaces, workspace: Workspace, name: Callable[[], str], has_index: bool, keep: str
) -> None:
    database = name()
    if has_index:
        await sightline.server.create_database(database)
    else:
        await run(sightline, f"create database {quoted(database)}")
    (finding,) = [each for each in await sightline.care.findings(["orphan"]) if each.database == database]
    assert (finding.kind, finding.keep, finding.project_id) == ("orphan", keep, "")
    assert finding.size_bytes > 1_000_000
    assert await sightline.care.prune(finding) is (not keep)
    left = await run(sightline, "select count(*) from pg_database where datname = $1", database)
    assert bool(left) is bool(keep)
    await run(sightline, f"drop database if exists {quoted(database)}")


async def test_a_database_that_somebody_uses_is_kept(sightline: Workspaces) -> None:
    database = database_name("lost", uuid4().hex)
    await sightline.server.create_database(database)
    async with sightline.server.connection(database):
        (finding,) = [each for each in await sightline.care.findings() if each.database == database]
        assert finding.keep == "somebody uses it"
        assert not await sightline.care.prune(finding)
    await sightline.server.drop_database(database)


async def test_databases_that_serve_all_projects_are_not_left_over(sightline: Workspaces) -> None:
    told = {each.database for each in await sightline.care.findings()}
    assert not told & {REGISTRY, sightline.server.template}
    assert all(each.startswith("sightline_") for each in told)


async def test_a_removed_project_comes_back_from_its_file(
    sightline: Workspaces, stocked: Workspace, folder: Files, tmp_path: Path
) -> None:
    """As it was, so that nothing is read or embedded again; and it goes on from there."""
    project, before, file = stocked.project, await content_of(stocked), tmp_path / "project.zip"
    answer = await paths_of(stocked, "where are sessions persisted")
    manifest = await sightline.care.export(project.id, file)
    assert (manifest.id, manifest.tables["code_files"].rows) == (project.id, 3)
    assert file.stat().st_mode & 0o077 == 0
    await sightline.projects.remove(project.id, project.name)
    entry = await sightline.care.bring(file)
    assert (entry.id, entry.name, entry.state) == (project.id, project.name, "ready")
    assert await found(sightline, project) is None
    again = await sightline.open(folder.root)
    assert (again.project.id, again.project.resolved_by) == (project.id, "folder")
    assert await content_of(again) == before
    summary = await index(again)
    assert (summary.files_indexed, summary.texts_embedded) == (0, 0)
    assert await paths_of(again, "where are sessions persisted") == answer
    folder.write({"new.py": "def parse_invoice(): pass\n"})
    await index(again)
    assert (await paths_of(again, "parse invoice"))[0] == "new.py"


async def test_a_copy_is_another_project(
    sightline: Workspaces, stocked: Workspace, folder: Files, tmp_path: Path
) -> None:
    file, copy = tmp_path / "project.zip", f"copy-{uuid4().hex[:8]}"
    await sightline.care.export(stocked.project.id, file)
    entry = await sightline.care.bring(file, copy, "a copy")
    assert (entry.id, entry.name) == (copy, "a copy")
    assert entry.database != stocked.project.database
    ids = "select array_agg(distinct project_id::text) from code_chunks"
    assert await run(sightline, ids, database=entry.database) == [copy]
    opened = await sightline.open(folder.root, copy)
    assert await paths_of(opened, "session") == await paths_of(stocked, "session")
    assert (await sightline.open(folder.root)).project.id == stocked.project.id
    await sightline.projects.remove(copy, "a copy")
    assert await paths_of(stocked, "session") != []


async def test_a_file_fills_an_empty_project_and_no_other(
    sightline: Workspaces, stocked: Workspace, folder: Files, tmp_path: Path
) -> None:
    """An import that was killed leaves an empty project; the next one ends it."""
    project, file = stocked.project, tmp_path / "project.zip"
    await sightline.care.export(project.id, file)
    before = await everything(sightline)
    with pytest.raises(ProjectConflict, match="is not empty") as caught:
        await sightline.care.bring(file)
    assert "--id" in caught.value.hint
    assert await everything(sightline) == before
    await sightline.projects.remove(project.id, project.name)
    await sightline.projects.registry.claim(Wish("killed", "killed", project_id=project.id, is_configured=True))
    entry = await sightline.care.bring(file)
    assert (entry.id, entry.name) == (project.id, "killed")
    assert await run(sightline, "select count(*) from code_files", database=entry.database) == 3


async def test_an_import_that_is_killed_is_no_hindrance_to_the_next(
    data_dir: Path, sightline: Workspaces, stocked: Workspace, tmp_path: Path
) -> None:
    """Killed after every so many statements: it is whole, or nothing of it is there and the next one fills it."""
    file, outcomes = tmp_path / "project.zip", Counter[str]()
    await sightline.care.export(stocked.project.id, file)
    for statement in itertools.count(0, STATEMENTS_APART):
        copy = f"copy-{uuid4().hex[:8]}"
        has_died = await asyncio.to_thread(died, data_dir, statement, bring, file, copy)
        try:
            entry = await sightline.care.bring(file, copy, copy)
            outcomes["again"] += 1
        except ProjectConflict:
            entry = await sightline.projects.registry.find(copy)
            outcomes["whole"] += 1
        counts = "select (select count(*) from code_files), (select count(*) > 0 from embeddings)"
        async with sightline.server.connection(entry.database) as connection:
            assert tuple(await connection.fetchrow(counts)) == (3, True)
        await sightline.projects.remove(copy, copy)
        if not has_died:
            break
    assert outcomes["whole"] >= 1
    assert outcomes["again"] >= 5


async def test_an_export_while_files_are_indexed_is_of_one_moment(
    sightline: Workspaces, stocked: Workspace, folder: Files, tmp_path: Path
) -> None:
    """What it lacks of the work under way is indexed when the copy is opened; nothing of it is half."""
    folder.write({f"more/{number}.py": f"def work_{number}(): return {number}\n" * 9 for number in range(300)})
    working, files = asyncio.create_task(index(stocked)), []
    while not working.done():
        files.append(tmp_path / f"{len(files)}.zip")
        await sightline.care.export(stocked.project.id, files[-1])
    await working
    file = files[len(files) // 2]
    copy = f"copy-{uuid4().hex[:8]}"
    entry = await sightline.care.bring(file, copy, copy)
    async with sightline.server.connection(entry.database) as connection:
        counts = (
            "select (select count(*) from code_chunks), (select count(*) from embeddings), count(*) from code_files"
        )
        chunks, vectors, count = await connection.fetchrow(counts)
    assert chunks == vectors
    assert 3 <= count <= 303
    opened = await sightline.open(folder.root, copy)
    await index(opened)
    assert await content_of(opened) == await content_of(stocked)


async def test_a_key_that_another_project_has_is_told(
    sightline: Workspaces, stocked: Workspace, folder: Files, tmp_path: Path
) -> None:
    file = tmp_path / "project.zip"
    await sightline.care.export(stocked.project.id, file)
    await sightline.projects.remove(stocked.project.id, stocked.project.name)
    other = (await sightline.open(folder.root)).project
    before = await everything(sightline)
    with pytest.raises(ProjectConflict) as caught:
        await sightline.care.bring(file)
    assert "--id" in caught.value.hint
    assert await everything(sightline) == before
    assert (await sightline.open(folder.root)).project.id == other.id


async def test_work_under_way_is_left_out_of_a_file(sightline: Workspaces, stocked: Workspace, tmp_path: Path) -> None:
    await stocked.store.request_job(stocked.checkout.repository_id, "scan", [""])
    manifest = await sightline.care.export(stocked.project.id, tmp_path / "x.zip")
    jobs = await stocked.store.jobs(stocked.checkout.repository_id)
    assert (manifest.tables["indexing_jobs"].rows, len(jobs)) == (1, 2)


Content = dict[str, bytes]


def manifest_with(content: Content, **changes: object) -> Content:
    told = json.loads(content[portable.MANIFEST]) | changes
    return content | {portable.MANIFEST: json.dumps(told).encode()}


def table_with(content: Content, name: str, data: bytes, **changes: object) -> Content:
    """Another content of a table, of which the manifest says that it must be so."""
    told = json.loads(content[portable.MANIFEST])
    sealed = {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
    told["tables"][name] |= sealed | changes
    return content | {f"tables/{name}.copy": data, portable.MANIFEST: json.dumps(told).encode()}


def without(content: Content, name: str) -> Content:
    return {key: value for key, value in content.items() if key != name}


def changed_columns(content: Content, name: str, columns: list[object]) -> Content:
    return table_with(content, name, content[f"tables/{name}.copy"], columns=columns)


def fewer_tables(content: Content) -> Content:
    tables = json.loads(content[portable.MANIFEST])["tables"]
    return manifest_with(content, tables={name: each for name, each in tables.items() if name != "meta"})


def one_byte_other(content: Content) -> Content:
    data = content["tables/code_chunks.copy"]
    return content | {"tables/code_chunks.copy": data[:40] + bytes([data[40] ^ 1]) + data[41:]}


BAD: dict[str, Callable[[Content], Content]] = {
    "nothing": lambda content: {},
    "no manifest": lambda content: without(content, portable.MANIFEST),
    "manifest is no JSON": lambda content: content | {portable.MANIFEST: b"{"},
    "manifest is deep": lambda content: content | {portable.MANIFEST: b"[" * 500_000},
    "manifest is a list": lambda content: content | {portable.MANIFEST: b"[]"},
    "manifest is null": lambda content: content | {portable.MANIFEST: b"null"},
    "manifest is huge": lambda content: content | {portable.MANIFEST: b'{"a": "' + b"a" * (1 << 21) + b'"}'},
    "manifest is binary": lambda content: content | {portable.MANIFEST: b"\xff\xfe\x00"},
    "of another program": lambda content: manifest_with(content, format="other"),
    "of another version": lambda content: manifest_with(content, version=2),
    "of another schema": lambda content: manifest_with(content, schema=999),
    "more in the manifest": lambda content: manifest_with(content, surprise=1),
    "no tables": lambda content: manifest_with(content, tables={}),
    "tables are a list": lambda content: manifest_with(content, tables=[1]),
    "fewer tables": fewer_tables,
    "a table is missing": lambda content: without(content, "tables/embeddings.copy"),
    "a bad id": lambda content: manifest_with(content, id="No Id"),
    "an id that is a number": lambda content: manifest_with(content, id=7),
    "no id": lambda content: manifest_with(content, id=""),
    "no name": lambda content: manifest_with(content, name=""),
    "an odd name": lambda content: manifest_with(content, name="a\nb"),
    "the default's name": lambda content: manifest_with(content, name="default"),
    "one byte other": one_byte_other,
    "cut short": lambda content: content | {"tables/postings.copy": content["tables/postings.copy"][:-1]},
    "no copy at all": lambda content: table_with(content, "code_files", b"hello"),
    "an empty table": lambda content: table_with(content, "code_files", b""),
    "files are missing": lambda content: table_with(content, "code_files", content["tables/dead_chunks.copy"]),
    "rows of another table": lambda content: table_with(content, "code_files", content["tables/embedders.copy"]),
    "other columns": lambda content: changed_columns(content, "code_files", ["id"]),
    "SQL for a column": lambda content: changed_columns(content, "meta", ['key"; drop table meta; --', "value"]),
    "a number for a column": lambda content: changed_columns(content, "meta", [1, 2]),
}


@pytest.fixture
async def content(sightline: Workspaces, stocked: Workspace, tmp_path: Path) -> Content:
    """What a good export holds, whose project is gone."""
    file = tmp_path / "good.zip"
    await sightline.care.export(stocked.project.id, file)
    await sightline.projects.remove(stocked.project.id, stocked.project.name)
    with zipfile.ZipFile(file) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


async def test_a_bad_file_is_an_error_that_changes_nothing(
    sightline: Workspaces, content: Content, tmp_path: Path
) -> None:
    before = await everything(sightline)
    for number, (name, spoil) in enumerate(BAD.items()):
        file = tmp_path / f"bad-{number}.zip"
        with zipfile.ZipFile(file, "w") as archive:
            for member, data in spoil(content).items():
                archive.writestr(member, data)
        with pytest.raises((FolderError, ProjectError)) as caught:
            await sightline.care.bring(file)
        assert caught.value.hint, name
        assert "\n" not in str(caught.value), name
        assert await everything(sightline) == before, name
    assert (await sightline.care.bring(tmp_path / "good.zip")).state == "ready"


def as_if_encrypted(data: bytes) -> bytes:
    """Each member's flag in the directory at the end."""
    start = data.index(b"PK\1\2")
    return data[:start] + re.sub(rb"(?s)(PK\x01\x02....).", lambda found: found[1] + b"\1", data[start:])


NO_EXPORTS: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda good: b"", "no zip": lambda good: b"hello", "cut": lambda good: good[: len(good) // 2],
    "without its end": lambda good: good[:-30], "encrypted": as_if_encrypted,
}  # fmt: skip


@pytest.mark.parametrize("name", ["absent", "a folder", *NO_EXPORTS])
async def test_what_is_no_export_is_an_error(
    sightline: Workspaces, content: Content, tmp_path: Path, name: str
) -> None:
    file = tmp_path / "bad.zip"
    if name == "a folder":
        file.mkdir()
    elif name != "absent":
        file.write_bytes(NO_EXPORTS[name]((tmp_path / "good.zip").read_bytes()))
    before = await everything(sightline)
    with pytest.raises(FolderError) as caught:
        await sightline.care.bring(file)
    assert caught.value.hint
    assert await everything(sightline) == before


@pytest.mark.parametrize(
    "key", ["default", "config:payments", "", "import:x", "folder", "anything", "config:", "folder:x\0y"]
)
async def test_a_file_cannot_take_the_place_of_another_project(
    sightline: Workspaces, content: Content, tmp_path: Path, key: str
) -> None:
    file = tmp_path / "bad.zip"
    with zipfile.ZipFile(file, "w") as archive:
        for member, data in manifest_with(content, key=key).items():
            archive.writestr(member, data)
    try:
        entry = await sightline.care.bring(file)
    except SightlineError:
        return
    assert entry.key not in ("default", "config:payments")
    assert entry.key == f"import:{entry.id}"


async def test_an_export_that_fails_leaves_no_file(sightline: Workspaces, stocked: Workspace, tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    for place in (tmp_path / "none" / "x.zip", tmp_path / "folder"):
        with pytest.raises(FolderError, match="cannot be written"):
            await sightline.care.export(stocked.project.id, place)
    assert sorted(each.name for each in tmp_path.iterdir()) == ["folder", "project"]


async def test_an_export_replaces_an_older_one_whole(sightline: Workspaces, stocked: Workspace, tmp_path: Path) -> None:
    file = tmp_path / "project.zip"
    file.write_bytes(b"older" * 100_000)
    await sightline.care.export(stocked.project.id, file)
    assert portable.check(file).id == stocked.project.id
