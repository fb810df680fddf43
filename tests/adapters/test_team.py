"""A team on one Postgres: several users with checkouts of their own share a project, and what was computed for it."""

from __future__ import annotations

import asyncio
import json
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from adapters.external import External
from sightline.adapters.postgres import REGISTRY, quoted
from sightline.workspaces import Workspace, Workspaces
from support import Files, answered, command, environment

SHARED = {
    f"src/module{number}.py": f'def handle_{word}(request):\n    """Takes {word} in."""\n    return {word!r}, request\n'
    for number, word in enumerate(["invoices", "payments", "refunds", "sessions", "tokens", "uploads", "webhooks"])
}
CONFIG = json.dumps({"version": "1.0", "project": {"name": "shop"}})
SETUP = (
    "create role sightline nologin createdb",
    *(f"create role {name} login in role sightline" for name in ("ada", "bob")),
    *(f"alter role {name} set role sightline" for name in ("ada", "bob")),
)
"""As the README has it."""


@dataclass(frozen=True)
class User:
    """Somebody with a machine of their own: a data folder, a checkout, and a role on the team's server."""

    name: str
    data: Path
    checkout: Files
    server: External

    def start(self, *arguments: str | Path) -> subprocess.Popen[str]:
        url = self.server.url(self.name)
        return subprocess.Popen(
            command(*arguments), env=environment(self.data, SIGHTLINE_DATABASE_URL=url),
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip

    def run(self, *arguments: str | Path) -> str:
        """Runs `sightline` to its end; what it prints."""
        with self.start(*arguments) as process:
            output, errors = process.communicate(timeout=300)
        assert process.returncode == 0, errors
        return output

    def index(self) -> dict[str, Any]:
        summary: dict[str, Any] = json.loads(self.run("index", self.checkout.root, "--json"))
        return summary

    def paths(self, query: str, *more: str) -> Sequence[str]:
        """The paths that a search without another look at the files answers."""
        with self.start("search", query, self.checkout.root, "--json", "--no-wait", *more) as process:
            output, errors = process.communicate(timeout=300)
        assert process.returncode in (0, 1), errors
        return answered(output)

    async def repository(self, database: str) -> int:
        found: int = await self.server.run(
            f"select id from repositories where root_path = '{self.checkout.root}'", database=database
        )
        return found


@pytest.fixture
async def team(external: External, tmp_path: Path) -> tuple[User, User]:
    await external.run("create extension vector", database="template1")
    await external.run(*SETUP)
    users = []
    for name in ("ada", "bob"):
        (tmp_path / name / "shop").mkdir(parents=True)
        checkout = Files((tmp_path / name / "shop").resolve())
        checkout.write({**SHARED, ".sightline/config.json": CONFIG})
        users.append(User(name, tmp_path / name / "data", checkout, external))
    return users[0], users[1]


async def rows(server: External, database: str, query: str) -> Any:
    return await server.run(f"select coalesce(json_agg(r), '[]')::text from ({query}) r", database=database)


async def embedded_texts(server: External, database: str) -> int:
    """How many texts a model was ever asked for."""
    found: int = await server.run(
        "select coalesce(sum(chunk_count), 0)::int from embedding_metadata", database=database
    )
    return found


async def database_of(server: External) -> str:
    names = await server.run("select array_agg(database_name::text) from projects", database=REGISTRY)
    assert len(names) == 1, names
    return str(names[0])


async def test_what_one_has_indexed_costs_the_other_no_vector_and_is_not_found_there(team: tuple[User, User]) -> None:
    ada, bob = team
    ada.checkout.write({"src/ada.py": "def secret_of_ada(): pass\n"})
    first = await asyncio.to_thread(ada.index)
    database = await database_of(ada.server)
    once = await embedded_texts(ada.server, database)
    assert once >= len(SHARED)
    bob.checkout.write({"src/bob.py": "def draft_of_bob(): pass\n"})
    second = await asyncio.to_thread(bob.index)
    assert (second["projectId"], second["filesIndexed"]) == (first["projectId"], first["filesIndexed"])
    assert await database_of(bob.server) == database
    assert await embedded_texts(bob.server, database) == once + 1
    jobs = "select texts_embedded from indexing_jobs order by created_at"
    assert json.loads(await rows(bob.server, database, jobs))[-1] == {"texts_embedded": 1}
    asked = "secret of ada, draft of bob, handle invoices"
    options: tuple[tuple[User, tuple[str, ...]], ...] = ((ada, ()), (bob, ()), (bob, ("--project", first["projectId"])))
    found = await asyncio.gather(*(asyncio.to_thread(user.paths, asked, "-n", "50", *more) for user, more in options))
    for paths, own, other in zip(found, ("ada", "bob", "bob"), ("bob", "ada", "ada"), strict=True):
        assert {f"src/{own}.py", *SHARED} <= set(paths)
        assert f"src/{other}.py" not in paths


async def test_what_a_colleague_adds_while_i_work_costs_me_nothing_when_i_pull_it(
    sightline: Workspaces, workspace: Workspace, folder: Files, tmp_path: Path
) -> None:
    """Two checkouts whose writers stay for days: neither begins anew to hear of the other's vectors."""
    mine = Files(tmp_path / "mine")
    folder.write(SHARED)
    mine.write({"own.py": "def only_mine(): pass\n"})
    other = await sightline.open(mine.root, workspace.project.id)
    async with workspace.indexer.writing() as theirs, other.indexer.writing() as ours:
        assert theirs is not None
        assert ours is not None
        other.indexer.touch()
        assert (await other.indexer.settle(ours)).texts_embedded == 1
        workspace.indexer.touch()
        assert (await workspace.indexer.settle(theirs)).texts_embedded >= len(SHARED)
        mine.write(SHARED)
        other.indexer.touch(list(SHARED))
        summary = await other.indexer.settle(ours)
        assert (summary.files_indexed, summary.texts_embedded) == (len(SHARED), 0)


async def test_both_at_once_make_one_project_and_one_database(team: tuple[User, User]) -> None:
    started = [user.start("index", user.checkout.root, "--json") for user in team for _ in range(2)]
    outputs = await asyncio.gather(*(asyncio.to_thread(each.communicate, timeout=300) for each in started))
    assert [each.returncode for each in started] == [0] * 4, outputs
    assert len({json.loads(output)["projectId"] for output, _ in outputs}) == 1
    server = team[0].server
    database = await database_of(server)
    owned = "select array_agg(datname::text) from pg_database where datname ~ '^sightline_shop'"
    assert await server.run(owned) == [database]
    hosts = "select count(distinct host_id)::int from project_roots"
    assert await server.run(hosts, database=REGISTRY) == 2
    ids = {json.loads((user.checkout.root / ".sightline/config.json").read_text())["project"]["id"] for user in team}
    assert len(ids) == 1
    for user in team:
        files = f"select count(*)::int from code_files where repository_id = {await user.repository(database)}"
        assert await server.run(files, database=database) >= len(SHARED)


async def test_a_vector_is_taken_for_a_text_that_the_asker_holds_and_for_no_other(team: tuple[User, User]) -> None:
    """Each of Bob's chunks has the vector of its own text: as if nobody had indexed before."""
    ada, bob = team
    ada.checkout.write({"src/module0.py": SHARED["src/module0.py"] + "\n\ndef changed_by_ada(): pass\n"})
    await asyncio.to_thread(ada.index)
    await asyncio.to_thread(bob.index)
    database, server = await database_of(ada.server), ada.server
    vectors = (
        "select relative_path, encode(text_hash, 'hex') as text, e.embedding::text as vector from code_chunks c"
        " join code_files f on f.id = code_file_id join embeddings e on e.chunk_id = c.id where repository_id = {}"
        " order by 1, start_byte"
    )
    shared = json.loads(await rows(server, database, vectors.format(await bob.repository(database))))
    assert shared
    await server.run(f"drop database {quoted(database)} with (force)")
    await asyncio.to_thread(bob.index)
    assert await database_of(server) == database
    assert json.loads(await rows(server, database, vectors.format(await bob.repository(database)))) == shared


async def test_the_teams_role_is_enough_for_the_whole_life_of_a_project(
    team: tuple[User, User], tmp_path: Path
) -> None:
    """One makes it, the other exports it, removes it and takes it back: everything belongs to the role of both."""
    ada, bob = team
    project_id = (await asyncio.to_thread(ada.index))["projectId"]
    file = tmp_path / "shop.zip"
    await asyncio.to_thread(bob.run, "projects", "export", project_id, file)
    await asyncio.to_thread(bob.run, "projects", "remove", project_id, "--confirm", "shop")
    await asyncio.to_thread(bob.run, "projects", "import", file)
    assert await asyncio.to_thread(ada.paths, "handle invoices") != []
    assert (await asyncio.to_thread(ada.index))["filesIndexed"] == 0
    owners = "select array_agg(distinct pg_get_userbyid(datdba)::text) from pg_database where datname ~ '^sightline'"
    assert await ada.server.run(owners) == ["sightline"]
