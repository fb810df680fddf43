"""The commands below `sightline projects` as a user runs them: what they print, and that nothing goes unasked."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from click.testing import Result
from typer.testing import CliRunner

from sightline.__main__ import open_sightline
from sightline.adapters.postgres import quoted
from sightline.cli import build
from sightline.core.identity import database_name
from sightline.workspaces import Workspace, Workspaces
from support import Files, index, run

CODE = "def remember_session():\n    return 1\n"


@pytest.fixture
async def stocked(workspace: Workspace, folder: Files) -> Workspace:
    folder.write({"a.py": CODE, "b.py": CODE})
    await index(workspace)
    return workspace


@pytest.fixture
async def strays(sightline: Workspaces) -> AsyncIterator[tuple[str, str]]:
    """Two databases that no project has: one of ours, and one that only looks like it."""
    lost, foreign = database_name("lost", uuid4().hex), "sightline_of_somebody_else"
    await sightline.server.create_database(lost)
    async with sightline.server.unprepared("postgres") as connection:
        await connection.execute(f"create database {quoted(foreign)}")
        yield lost, foreign
        await connection.execute(f"drop database {quoted(foreign)}")


def projects(data_dir: Path, *arguments: str | Path) -> Result:
    """The command in this process, which is quicker; one test below starts a real one."""
    runner = CliRunner(env={"SIGHTLINE_DATA_DIR": str(data_dir)})
    done = runner.invoke(build(open_sightline), ["projects", *map(str, arguments)])
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    return done


def told(data_dir: Path, *arguments: str | Path) -> Any:
    done = projects(data_dir, *arguments, "--json")
    assert done.exit_code == 0, done.stderr
    return json.loads(done.stdout)


def test_a_project_is_listed_and_shown(data_dir: Path, stocked: Workspace) -> None:
    project = stocked.project
    for words in ((), ("list",)):
        listed = {each["id"]: each for each in told(data_dir, *words)["projects"]}
        mine = listed[project.id]
        assert (mine["name"], mine["state"], mine["chunks"]) == (project.name, "ready", 2)
        assert mine["roots"] == [str(stocked.checkout.root)]
    assert project.id in projects(data_dir).stdout
    shown = told(data_dir, "show", project.id)
    assert (shown["entry"]["name"], shown["checkouts"][0]["files"]) == (project.name, 2)
    text = projects(data_dir, "show", project.id).stdout
    for word in (project.name, project.id, project.database, str(stocked.checkout.root), "2 files", "known texts"):
        assert word in text


def test_a_project_gets_another_name(data_dir: Path, stocked: Workspace) -> None:
    done = projects(data_dir, "rename", stocked.project.id, "[b]illing")
    assert done.stdout == f"{stocked.project.id} is called [b]illing now.\n"
    assert "[b]illing" in projects(data_dir, "show", stocked.project.id).stdout


def test_a_project_is_removed_only_with_its_name(data_dir: Path, stocked: Workspace) -> None:
    project = stocked.project
    dry = projects(data_dir, "remove", project.id)
    assert (dry.exit_code, dry.stderr) == (0, "")
    assert project.database in dry.stdout
    assert f'Nothing was removed. To remove all of this: --confirm "{project.name}"' in dry.stdout
    wrong = projects(data_dir, "remove", project.id, "--confirm", "else")
    assert (wrong.exit_code, wrong.stdout) == (2, "")
    assert "not the project's name" in wrong.stderr
    assert projects(data_dir, "show", project.id).exit_code == 0
    done = projects(data_dir, "remove", project.id, "--confirm", project.name)
    assert (done.exit_code, done.stdout) == (
        0, f"Removed {project.name} and its database {project.database}.\n"
    )  # fmt: skip
    gone = projects(data_dir, "show", project.id)
    assert (gone.exit_code, "no project has the id" in gone.stderr) == (2, True)


def test_what_is_left_over_is_told_and_goes_only_when_asked(
    data_dir: Path, strays: tuple[str, str], stocked: Workspace, folder: Files
) -> None:
    lost, foreign = strays
    shutil.rmtree(folder.root)
    dry = projects(data_dir, "prune").stdout
    assert f"a database that no project has: {lost}, " in dry
    assert (
        f"a project whose folders are gone, or on a disk that is not there: {stocked.project.name} ({stocked.project.id}), "
        in dry
    )
    assert f"    {folder.root}\n" in dry
    assert re.search(rf"{foreign}, \d+ MB, kept: its name is not one that Sightline gives", dry)
    assert dry.endswith("To remove what is not kept: --yes\n")
    only = {
        each["database"]: each["outcome"] for each in told(data_dir, "prune", "--kind", "orphan", "--yes")["findings"]
    }
    assert (only[lost], only[foreign]) == ("removed", "kept")
    assert stocked.project.database not in only
    left = {each["database"]: each["outcome"] for each in told(data_dir, "prune", "--yes")["findings"]}
    assert (left[stocked.project.database], left[foreign]) == ("removed", "kept")
    assert set(left.values()) <= {"removed", "kept"}
    assert projects(data_dir, "prune", "--kind", "vanished").stdout == "Nothing is left over.\n"


def test_a_project_travels_in_a_file(data_dir: Path, stocked: Workspace, tmp_path: Path) -> None:
    project, file = stocked.project, tmp_path / "p.zip"
    done = projects(data_dir, "export", project.id, file)
    assert done.stdout.startswith(f"Exported {project.name}: ")
    taken = projects(data_dir, "import", file)
    assert (taken.exit_code, "is not empty" in taken.stderr, "--id" in taken.stderr) == (2, True, True)
    copy = f"copy-{project.id[:8]}"
    done = projects(data_dir, "import", file, "--id", copy, "--name", "copied")
    assert (done.exit_code, done.stdout) == (0, f"Imported copied as {copy}.\n")
    assert told(data_dir, "show", copy)["checkouts"][0]["chunks"] == 2
    bad = projects(data_dir, "import", tmp_path / "none.zip")
    assert (bad.exit_code, "cannot be read" in bad.stderr) == (2, True)


def test_the_commands_are_there_for_a_real_process(data_dir: Path, stocked: Workspace) -> None:
    done = run(data_dir, "projects", "show", stocked.project.id)
    assert (done.returncode, done.stderr) == (0, "")
    assert stocked.project.database in done.stdout
