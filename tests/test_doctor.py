"""The doctor: every check that can fail fails for real, says what to do, and stops no other."""

from __future__ import annotations

import asyncio
import contextlib
import os
import pwd
import subprocess
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import pytest

from sightline.doctor import Check, examine
from sightline.settings import DatabaseSettings, EmbeddingSettings, Settings
from sightline.workspaces import Workspaces
from support import PACKAGE_ROOT, Files, run

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can set up what is tried here")
Opener = Callable[[Settings], AbstractAsyncContextManager[Workspaces]]
CODE = "def remember(): pass\n"


@pytest.fixture
def opener(data_dir: Path) -> Opener:
    """Opens the run's database, wherever else the settings keep things."""

    @contextlib.asynccontextmanager
    async def open_sightline(settings: Settings) -> AsyncIterator[Workspaces]:
        async with Workspaces.started(settings, data_dir) as workspaces:
            yield workspaces

    return open_sightline


async def checked(settings: Settings, opener: Opener, folder: Path) -> dict[str, Check]:
    return {check.name: check for check in await examine(settings, opener, folder)}


def assert_only_fails(checks: dict[str, Check], *names: str) -> None:
    assert {name for name, check in checks.items() if not check.is_fine} == set(names)
    for name in names:
        assert checks[name].message
        assert checks[name].hint


async def test_everything_in_order_is_told(settings: Settings, opener: Opener, folder: Files) -> None:
    folder.write({"a.py": CODE, "x.png": b"\x89PNG\0", ".env": "KEY=1\n"})
    checks = await checked(settings, opener, folder.root)
    assert list(checks) == [
        "model",
        "grammars",
        "disk",
        "folder",
        "database",
        "pgvector",
        "connections",
        "projects",
        "leftovers",
    ]
    assert_only_fails(checks)
    assert not any(check.hint for name, check in checks.items() if name != "leftovers")
    assert checks["folder"].message.startswith("1 file to index; left out: ")
    assert "1 secret" in checks["folder"].message
    assert checks["database"].message.endswith(", embedded")


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({}, "0 files to index; left out: nothing"),
        ({".gitignore": "*\n", "a.py": CODE}, "0 files to index; left out: "),
    ],
)
async def test_a_folder_with_nothing_to_index_fails(
    settings: Settings, opener: Opener, folder: Files, files: dict[str, str | bytes], message: str
) -> None:
    folder.write(files)
    checks = await checked(settings, opener, folder.root)
    assert_only_fails(checks, "folder")
    assert message in checks["folder"].message
    assert "--skipped" in checks["folder"].hint


async def test_what_is_no_folder_fails(settings: Settings, opener: Opener, folder: Files) -> None:
    folder.write({"a.py": CODE})
    for place in (folder.root / "a.py", folder.root / "none"):
        assert_only_fails(await checked(settings, opener, place), "folder")


async def test_a_model_that_cannot_be_loaded_fails_and_is_not_the_databases_fault(
    data_dir: Path, opener: Opener, folder: Files
) -> None:
    folder.write({"a.py": CODE})
    model = EmbeddingSettings(provider="model2vec", model=str(folder.root / "no model"))
    checks = await checked(Settings(data_dir=data_dir, embedding=model), opener, folder.root)
    assert_only_fails(checks, "model", "start")
    assert checks["start"].message == checks["model"].message


async def test_a_database_that_does_not_answer_fails(data_dir: Path, opener: Opener, folder: Files) -> None:
    folder.write({"a.py": CODE})
    url = DatabaseSettings(url="postgresql://nobody:hunter2@127.0.0.1:1/x")
    checks = await checked(Settings(data_dir=data_dir, database=url), opener, folder.root)
    assert_only_fails(checks, "database")
    assert "must run and be reachable" in checks["database"].hint
    assert "doctor" not in checks["database"].hint
    assert "hunter2" not in "".join(str(check) for check in checks.values())


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    place = tmp_path / "disk"
    place.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", place], check=True)
    try:
        yield place
    finally:
        subprocess.run(["umount", "--lazy", place], check=True)


@as_root
async def test_a_disk_with_little_room_fails(opener: Opener, folder: Files, small_disk: Path) -> None:
    folder.write({"a.py": CODE})
    checks = await checked(Settings(data_dir=small_disk / "not" / "yet"), opener, folder.root)
    assert_only_fails(checks, "disk")
    assert checks["disk"].message == "0.0 GB free for the index"
    assert "SIGHTLINE_DATA_DIR" in checks["disk"].hint


@as_root
async def test_a_user_who_may_enter_nothing_gets_answers_all_the_same(
    settings: Settings, opener: Opener, folder: Files, tmp_path: Path
) -> None:
    folder.write({"a.py": CODE})
    await checked(settings, opener, folder.root)
    tmp_path.chmod(0o700)
    os.seteuid(pwd.getpwnam("nobody").pw_uid)
    try:
        checks = await checked(Settings(data_dir=tmp_path / "data"), opener, folder.root)
    finally:
        os.seteuid(0)
    assert checks["model"].is_fine
    assert checks["disk"].is_fine
    assert not checks["folder"].is_fine
    assert not checks["database"].is_fine


async def test_a_grammar_that_cannot_be_loaded_fails(data_dir: Path, folder: Files, tmp_path: Path) -> None:
    folder.write({"a.py": CODE})
    broken = tmp_path / "broken"
    broken.mkdir()
    (broken / "tree_sitter_zig.py").write_text("raise ImportError('built for another machine')\n")
    path = os.pathsep.join([str(broken), str(PACKAGE_ROOT)])
    done = await asyncio.to_thread(run, data_dir, "doctor", folder.root, PYTHONPATH=path)
    assert done.returncode == 2, done.stderr
    assert "FAILED grammars: cannot be loaded: zig" in done.stdout
    assert "indexed as plain text" in done.stdout
    assert done.stdout.count("FAILED") == 1
