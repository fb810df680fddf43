"""The command line as a user runs it: real processes, real exit codes."""

from __future__ import annotations

import json
import os
import random
import re
import shutil
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import pydantic
import pytest
import rich

from sightline.workspaces import Workspaces
from support import Files, answered, command, content_of, environment, index, run

STORE = (
    'class SessionStore:\n    """Keeps sessions on disk."""\n\n    def save(self, session):\n        return session\n'
)
CODE = Path(rich.__file__).parent
"""A real package of about a hundred files."""


@pytest.fixture
def stocked(folder: Files) -> Files:
    folder.write({"src/store.py": STORE, "tests/test_store.py": "def test_save():\n    assert SessionStore()\n"})
    return folder


def test_search_indexes_and_prints_places(data_dir: Path, stocked: Files) -> None:
    done = run(data_dir, "search", "where are sessions persisted", stocked.root)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[0].startswith("src/store.py:1  SessionStore class")


def test_json_is_the_protocols_answer(data_dir: Path, stocked: Files) -> None:
    done = run(data_dir, "search", "sessions", stocked.root, "--json", "--explain")
    answer = json.loads(done.stdout)
    assert answer["complete"]
    assert answer["projects"][0]["resolvedBy"] == "folder"
    hit = answer["hits"][0]
    assert (hit["path"], hit["range"]["start"]) == ("src/store.py", {"line": 0, "character": 0})
    assert set(hit["signals"]) >= {"cosine", "words", "definedHere"}


def test_a_shell_whose_folder_is_gone_is_told_so(data_dir: Path, tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    script = f"cd {gone} && rmdir {gone} && {' '.join(command('status'))}"
    done = subprocess.run(["sh", "-c", script], env=environment(data_dir), capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("sightline: the folder that this shell is in is gone\n")


@pytest.mark.parametrize(
    ("query", "paths"),
    [
        ("session -path:tests", ["src/store.py"]),
        ("session path:tests/**", ["tests/test_store.py"]),
        ("kind:class session", ["src/store.py"]),
        ('"assert SessionStore"', ["tests/test_store.py"]),
        ("lang:go session", []),
        ("-path:tests session", ["src/store.py"]),
        ('-"class SessionStore" session', ["tests/test_store.py"]),
    ],
)
def test_the_query_box_filters(data_dir: Path, stocked: Files, query: str, paths: list[str]) -> None:
    done = run(data_dir, "search", query, stocked.root, "--json")
    assert done.returncode == (0 if paths else 1), done.stderr
    assert answered(done.stdout) == paths


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("search", "x", "/no/such/folder"), "'/no/such/folder' does not exist"),
        (("search", "lnag:py x", "."), "lang"),
        (("index", __file__), "is a file, not a folder"),
        (("search", "x", ".", "--project", "Not An Id"), "project id"),
        (("search", "x", ".", "--project", "unknown-project"), "no project has the id"),
        (("search", "x", ".", "--mode", "psychic"), "'hybrid', 'lexical', 'semantic'"),
        (("search", "", "."), "the query is empty"),
        (("search", '""', "."), "the query is empty"),
        (("search", "kind:banana", "."), "The kinds are class, struct,"),
        (("search", "-knid:class x", "."), "Did you mean kind:?"),
    ],
)
def test_bad_input_is_one_sentence(data_dir: Path, stocked: Files, arguments: tuple[str, ...], message: str) -> None:
    done = run(data_dir, *(str(stocked.root) if each == "." else each for each in arguments))
    assert message in re.sub(r"\s*│?\n│?\s*", " ", done.stderr)
    assert "Traceback" not in done.stderr
    assert done.returncode == 2


@pytest.mark.parametrize("url", ["postgresql://nobody:hunter2@127.0.0.1:1/x", "no address at all", "mysql://x/y"])
def test_a_database_that_is_none_is_one_sentence_without_secrets(data_dir: Path, stocked: Files, url: str) -> None:
    done = run(data_dir, "search", "x", stocked.root, SIGHTLINE_DATABASE_URL=url)
    assert done.returncode == 2
    assert "hunter2" not in done.stderr
    assert ("a command has to be run again" in done.stderr) == ("127.0.0.1" in url)
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("arguments", [("search", "session"), ("index",), ("search", "--no-wait", "session")])
def test_home_and_what_is_above_are_no_project_but_what_is_below_is(
    data_dir: Path, stocked: Files, arguments: tuple[str, ...]
) -> None:
    home = str(stocked.root.parent)
    for wide in ("/", home, f"{home}/project/.."):
        done = run(data_dir, *arguments, wide, HOME=home)
        assert done.returncode == 2
        assert "is too wide to be one project" in done.stderr
    assert run(data_dir, "index", stocked.root, HOME=home).returncode == 0
    stocked.write({".sightline/config.json": '{"version": "1.0", "project": {"name": "whole-home"}}'})
    assert run(data_dir, *arguments, stocked.root, HOME=str(stocked.root)).returncode != 2


def test_index_lists_what_is_left_out(data_dir: Path, folder: Files) -> None:
    folder.write({"a.py": STORE, ".env": "SECRET=1\n", "node_modules/x.js": "x\n", "picture.png": b"\x89PNG\x00"})
    done = run(data_dir, "index", folder.root, "--skipped")
    assert done.returncode == 0, done.stderr
    for line in ("secret: .env", "excluded: node_modules [folder]", "picture.png"):
        assert line in done.stdout


@pytest.mark.parametrize("look", [["status"], ["model", ""]])
@pytest.mark.parametrize("is_configured", [False, True])
def test_who_only_looks_at_a_folder_makes_no_project_of_it(
    data_dir: Path, folder: Files, look: list[str], is_configured: bool
) -> None:
    config = json.dumps({"version": "1.0", "project": {"name": f"looked-at-{look[0]}"}})
    folder.write({"a.py": STORE} | ({".sightline/config.json": config} if is_configured else {}))
    done = run(data_dir, *look, folder.root)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f"sightline: nothing of {folder.root.name} is indexed yet\n  Run: sightline index\n"
    listed = json.loads(run(data_dir, "projects", "--json").stdout)["projects"]
    assert str(folder.root.resolve()) not in [root for each in listed for root in each["roots"]]
    assert not is_configured or (folder.root / ".sightline/config.json").read_text() == config
    run(data_dir, "index", folder.root)
    assert run(data_dir, *look, folder.root).returncode == 0


def test_status_and_projects_tell_what_is_there(data_dir: Path, stocked: Files) -> None:
    run(data_dir, "index", stocked.root)
    status = json.loads(run(data_dir, "status", stocked.root, "--json").stdout)
    assert (status["files"], status["job"]["state"], status["languages"]) == (2, "completed", {"python": 2})
    assert "python 2" in run(data_dir, "status", stocked.root).stdout
    listed = json.loads(run(data_dir, "projects", "--json").stdout)["projects"]
    assert str(stocked.root.resolve()) in [root for each in listed for root in each["roots"]]
    assert status["project"] in run(data_dir, "projects").stdout


def test_doctor_finds_everything_in_order(data_dir: Path, stocked: Files) -> None:
    done = run(data_dir, "doctor", stocked.root)
    assert done.returncode == 0, done.stdout
    checks = json.loads(run(data_dir, "doctor", stocked.root, "--json").stdout)["checks"]
    assert {each["name"] for each in checks} >= {"database", "pgvector", "model", "grammars", "disk", "folder"}


def test_doctor_says_what_to_do(data_dir: Path, folder: Files) -> None:
    done = run(data_dir, "doctor", folder.root, SIGHTLINE_DATABASE_URL="postgresql://127.0.0.1:1/x")
    assert done.returncode == 2
    assert "FAILED database" in done.stdout


def test_the_version_is_told(data_dir: Path) -> None:
    assert run(data_dir, "--version").stdout.startswith("sightline 0.")


def test_output_into_a_closed_pipe_is_no_error(data_dir: Path, stocked: Files) -> None:
    run(data_dir, "index", stocked.root)
    for arguments in (
        ("search", "session", stocked.root),
        ("search", "session", stocked.root, "--json"),
        ("projects",),
    ):
        output, reader = os.pipe()[::-1]
        os.close(reader)
        variables = environment(data_dir)
        done = subprocess.run(command(*arguments), env=variables, stdout=output, stderr=subprocess.PIPE, check=False)
        os.close(output)
        assert (done.returncode, done.stderr) == (141, b"")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a device of Linux")
@pytest.mark.parametrize("option", ["--json", "--explain"])
def test_output_onto_a_full_disk_is_one_sentence(data_dir: Path, stocked: Files, option: str) -> None:
    with open("/dev/full", "w") as full:
        line = command("search", "session", stocked.root, option)
        done = subprocess.run(
            line, env=environment(data_dir), stdout=full, stderr=subprocess.PIPE, text=True, check=False
        )
    assert done.stderr == "sightline: the output cannot be written: no space left on device\n"
    assert done.returncode == 2


def test_ctrl_c_keeps_what_is_indexed(data_dir: Path, folder: Files) -> None:
    folder.write({f"m{number}.py": STORE * 200 for number in range(400)})
    process = subprocess.Popen(
        command("index", folder.root),
        env=environment(data_dir),
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    under_way(process, data_dir, folder)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=600)
    if process.returncode == 0:
        return  # It was quicker than we.
    assert process.returncode == 130
    assert "interrupted" in errors
    assert "Traceback" not in errors


def test_who_waits_for_a_server_that_is_down_is_told(data_dir: Path, folder: Files) -> None:
    folder.write({"a.py": STORE})
    more = {"SIGHTLINE_EMBEDDING_PROVIDER": "ollama", "SIGHTLINE_EMBEDDING_URL": "http://127.0.0.1:9"}
    process = subprocess.Popen(
        command("index", folder.root), env=environment(data_dir) | more, stderr=subprocess.PIPE, text=True
    )
    assert process.stderr is not None
    assert "http://127.0.0.1:9 does not answer; trying again" in process.stderr.readline()
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=600)
    assert process.returncode == 130


def under_way(process: subprocess.Popen[Any], data_dir: Path, folder: Files) -> dict[str, str]:
    """Waits until a process indexes; its job."""
    job: dict[str, str] = {}
    while not job.get("phase") and process.poll() is None:
        status = run(data_dir, "status", folder.root, "--json")
        job = (json.loads(status.stdout)["job"] or {}) if status.returncode == 0 else {}
    return job


@pytest.mark.parametrize("ending", [signal.SIGTERM, signal.SIGKILL])
def test_a_job_whose_process_was_killed_is_told_as_interrupted(
    data_dir: Path, folder: Files, ending: signal.Signals
) -> None:
    folder.write({f"m{number}.py": STORE * 200 + f"x = {number}\n" for number in range(400)})
    process = subprocess.Popen(command("index", folder.root), env=environment(data_dir), stderr=subprocess.DEVNULL)
    job = under_way(process, data_dir, folder)
    assert "interrupted" not in job["message"]
    process.send_signal(ending)
    process.wait()
    status = json.loads(run(data_dir, "status", folder.root, "--json").stdout)
    assert (status["job"]["state"], status["job"]["message"]) in [
        (state, "interrupted; the next run goes on with it") for state in ("pending", "running")
    ]
    assert "interrupted" in run(data_dir, "status", folder.root).stdout
    assert run(data_dir, "index", folder.root).returncode == 0
    assert json.loads(run(data_dir, "status", folder.root, "--json").stdout)["job"]["state"] == "completed"


async def test_killed_at_ten_random_moments_it_ends_as_a_fresh_index(
    sightline: Workspaces, data_dir: Path, tmp_path: Path
) -> None:
    chance = random.Random(5)
    root, copy = tmp_path / "killed", tmp_path / "fresh"
    for place in (root, copy):
        shutil.copytree(CODE, place, ignore=shutil.ignore_patterns("__pycache__"))
    for _ in range(10):
        process = subprocess.Popen(
            command("index", root), env=environment(data_dir), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        time.sleep(chance.uniform(0.5, 1.8))
        process.kill()
        process.wait()
    assert run(data_dir, "index", root).returncode == 0
    killed, fresh = await sightline.open(root.resolve()), await sightline.open(copy.resolve())
    await index(fresh)
    assert await content_of(killed) == await content_of(fresh)
    jobs = await (await killed.store.pool()).fetch("select state, count(*) from indexing_jobs group by state")
    assert {row[0] for row in jobs} <= {"failed", "completed"}


async def test_two_indexers_and_twenty_searches_at_once(sightline: Workspaces, data_dir: Path, tmp_path: Path) -> None:
    root, copy = tmp_path / "shared", tmp_path / "alone"
    for place in (root, copy):
        shutil.copytree(Path(pydantic.__file__).parent, place, ignore=shutil.ignore_patterns("__pycache__", "*.so"))

    def start(*arguments: str | Path) -> subprocess.Popen[str]:
        return subprocess.Popen(
            command(*arguments), env=environment(data_dir), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )

    indexers = [start("index", root) for _ in range(2)]
    searches = [start("search", "validate a model field", root, "--json") for _ in range(20)]
    outcomes = [(each.communicate(timeout=600), each.returncode) for each in indexers + searches]
    assert [code for _, code in outcomes] == [0] * 22, [errors for (_, errors), _ in outcomes]
    assert all(answered(output) for (output, _), _ in outcomes[2:])
    together, alone = await sightline.open(root.resolve()), await sightline.open(copy.resolve())
    await index(alone)
    assert await content_of(together) == await content_of(alone)
