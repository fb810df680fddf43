"""Which tier decides: the id that was named, the config file, a real workflow server over HTTP, the folder, the default."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from uuid import uuid4

import pytest

from projecting import asked, configure, everything, written
from sightline.adapters.postgres import Server
from sightline.adapters.workflow import MOST_BYTES, Workflow
from sightline.errors import ConfigError, DatabaseUnavailable, ProjectNotFound
from sightline.projects import Projects
from sightline.settings import Settings, WorkflowSettings
from sightline.workspaces import Workspaces
from support import Files, index, paths_of, run

Reply = Callable[[BaseHTTPRequestHandler], None]


@dataclass
class Service:
    """A workflow server: what it answers, and what it was asked."""

    reply: Reply
    asked: list[str] = field(default_factory=list)
    url: str = ""

    def names(self, project_id: object) -> None:
        self.reply = answers(json.dumps({"project_id": project_id}))


def answers(body: str | bytes, status: int = 200, **headers: str) -> Reply:
    data = body.encode() if isinstance(body, str) else body

    def reply(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(status)
        for name, value in headers.items():
            handler.send_header(name, value)
        handler.send_header("Content-Length", str(len(data)))
        handler.end_headers()
        handler.wfile.write(data)

    return reply


def silent(handler: BaseHTTPRequestHandler) -> None:
    time.sleep(60)


def dripping(handler: BaseHTTPRequestHandler) -> None:
    """A byte now and then: no single wait is long."""
    handler.send_response(200)
    handler.end_headers()
    for _ in range(600):
        handler.wfile.write(b" ")
        handler.wfile.flush()
        time.sleep(0.1)


@pytest.fixture
def service() -> Iterator[Service]:
    found = Service(answers("{}"))

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            found.asked.append(self.path)
            try:
                found.reply(self)
            except OSError:
                pass  # the client has left

        def log_message(self, *_: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    found.url = f"http://127.0.0.1:{server.server_port}"
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    yield found
    server.shutdown()
    server.server_close()


@pytest.fixture
async def server(data_dir: Path) -> AsyncIterator[Server]:
    server = await Server.open("", data_dir)
    yield server
    await server.close()


def projects_of(server: Server, url: str, timeout: float = 60.0, fresh: float = 1000.0) -> Projects:
    return Projects(server, "here", Workflow(url, timeout, fresh))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / f"own-{uuid4().hex[:8]}"
    root.mkdir()
    return root


async def test_the_active_project_is_that_of_a_folder_without_config(
    server: Server, service: Service, root: Path, tmp_path: Path
) -> None:
    active = await projects_of(server, "").resolve(tmp_path)
    service.names(active.id)
    projects = projects_of(server, service.url)
    for folder in (root, None):
        found = await projects.resolve(folder)
        assert (found.id, found.database, found.resolved_by) == (active.id, active.database, "workflow")
        assert found.trace[-1] == "workflow: the server says that it is active"
        assert found.root == folder
    assert service.asked == ["/api/v1/projects/active"]


async def test_what_is_named_or_configured_asks_no_workflow_server(
    server: Server, service: Service, root: Path, tmp_path: Path
) -> None:
    active = await projects_of(server, "").resolve(tmp_path)
    service.names(active.id)
    projects = projects_of(server, service.url)
    named = await projects.resolve(root, active.id)
    assert (named.resolved_by, named.trace) == ("explicit", ("explicit: the id was given",))
    configure(root, root.name)
    config = await projects.resolve(root)
    assert (config.name, config.resolved_by) == (root.name, "config")
    assert config.trace == ("explicit: no id was given", "config: .sightline/config.json")
    assert service.asked == []


async def test_an_active_project_that_the_registry_lacks_is_an_error_and_makes_nothing(
    data_dir: Path, server: Server, service: Service, root: Path
) -> None:
    service.names("nobody-knows-it")
    before = await everything(data_dir)
    for folder in (root, None):
        with pytest.raises(ProjectNotFound, match="the workflow server says that nobody-knows-it is active") as caught:
            await projects_of(server, service.url).resolve(folder)
        assert "sightline projects" in caught.value.hint
    assert await everything(data_dir) == before


async def test_what_the_server_says_is_believed_for_a_while_and_then_asked_again(
    server: Server, service: Service, root: Path, tmp_path: Path
) -> None:
    first, second = [await projects_of(server, "").resolve(each) for each in (tmp_path, root)]
    service.names(first.id)
    projects = projects_of(server, service.url)
    found = await asyncio.gather(*(projects.resolve(root) for _ in range(20)))
    assert {each.id for each in found} == {first.id}
    assert len(service.asked) == 1
    service.names(second.id)
    assert (await projects.resolve(root)).id == first.id
    assert len(service.asked) == 1
    projects = projects_of(server, service.url, fresh=0.2)
    for named in (second, first):
        service.names(named.id)
        assert (await projects.resolve(root)).id == named.id
        await asyncio.sleep(0.3)
    assert len(service.asked) == 3


NO_ANSWERS: list[tuple[str, Reply, str]] = [
    ("it is silent", silent, "the server did not answer within 0.3 s"),
    ("it drips", dripping, "the server did not answer within 0.3 s"),
    ("an error", answers("no", 500), "the server answered with status 500"),
    ("a redirect", answers("", 302, Location="http://127.0.0.1:1/"), "the server answered with status 302"),
    ("not its business", answers("", 204), "the server answered with status 204"),
    ("none is active", answers("", 404), "the server says that no project is active"),
    ("none is active either", answers('{"project_id": null}'), "the server says that no project is active"),
    ("a page", answers("<html>"), "the server's answer is no JSON"),
    ("no text", answers(b"\xff\xfe"), "the server's answer is no JSON"),
    ("deep", answers("[" * 30_000), "the server's answer is no JSON"),
    ("a list", answers("[]"), "the server's answer has no project_id"),
    ("something else", answers('{"id": "a"}'), "the server's answer has no project_id"),
    ("a number", answers('{"project_id": 7}'), "the server's project_id is no project id"),
    ("a path", answers('{"project_id": "../x"}'), "the server's project_id is no project id"),
    ("sql", answers('{"project_id": "\'; drop table projects; --"}'), "the server's project_id is no project id"),
    ("endless", answers(b" " * (MOST_BYTES + 1)), "the server's answer is too long"),
    ("no http", lambda handler: handler.wfile.write(b"SSH-2.0\r\n") and None, "the server cannot be reached"),
    ("it hangs up", lambda handler: handler.connection.close(), "the server cannot be reached"),
]  # fmt: skip


@pytest.mark.parametrize(("reply", "reason"), [case[1:] for case in NO_ANSWERS], ids=[case[0] for case in NO_ANSWERS])
async def test_a_server_that_says_nothing_useful_does_not_decide_and_the_trace_says_why(
    server: Server, service: Service, root: Path, reply: Reply, reason: str
) -> None:
    service.reply = reply
    began = time.monotonic()
    found = await projects_of(server, service.url, timeout=0.3 if "0.3 s" in reason else 60).resolve(root)
    assert time.monotonic() - began < 30
    assert (found.name, found.resolved_by) == (root.name, "folder")
    assert found.trace[2:] == (f"workflow: {reason}", f"folder: the own project of {root.name}")


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:1", "https://127.0.0.1:1/x", "http://host.invalid", "http://h:x", "http://[::1"]
)
async def test_a_server_that_is_not_there_does_not_decide(server: Server, root: Path, url: str) -> None:
    found = await projects_of(server, url, timeout=1.0).resolve(root)
    assert (found.resolved_by, found.trace[2]) in {
        ("folder", "workflow: the server cannot be reached"), ("folder", "workflow: the server did not answer within 1 s")
    }  # fmt: skip


async def test_a_failure_is_not_remembered(server: Server, service: Service, root: Path, tmp_path: Path) -> None:
    active = await projects_of(server, "").resolve(tmp_path)
    projects = projects_of(server, service.url)
    service.reply = answers("", 500)
    assert (await projects.resolve(root)).resolved_by == "folder"
    service.names(active.id)
    assert (await projects.resolve(root)).id == active.id


async def test_a_proxy_of_the_environment_is_not_asked(
    server: Server, service: Service, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:1")
    service.names(None)
    assert (await projects_of(server, service.url).resolve(root)).trace[
        2
    ] == "workflow: the server says that no project is active"


def test_the_setting_reaches_the_command_line(data_dir: Path, service: Service, folder: Files) -> None:
    folder.write({"a.py": "def remember_session(): pass\n"})
    shown = run(data_dir, "index", folder.root, "--json")
    project = json.loads(shown.stdout)["projectId"]
    service.names(project)
    other = folder.root.parent / "other"
    other.mkdir()
    done = run(data_dir, "search", "session", other, "--json", SIGHTLINE_WORKFLOW_URL=service.url)
    (told,) = json.loads(done.stdout)["projects"]
    assert (told["id"], told["resolvedBy"]) == (project, "workflow")


async def test_a_wrong_config_file_is_the_answer_and_nothing_else_is_tried(
    data_dir: Path, server: Server, service: Service, root: Path, tmp_path: Path
) -> None:
    active = await projects_of(server, "").resolve(tmp_path)
    service.names(active.id)
    (root / "sub").mkdir()
    (root / ".git").mkdir()
    written(root, '{"version": "1.0"}')
    before = await everything(data_dir)
    for folder, name in ((root, ".sightline/config.json"), (root / "sub", "../.sightline/config.json")):
        with pytest.raises(ConfigError, match="project: it is missing") as caught:
            await projects_of(server, service.url).resolve(folder)
        assert str(caught.value).startswith(f"{name}: ")
    assert service.asked == []
    assert await everything(data_dir) == before
    named = await projects_of(server, service.url).resolve(root, active.id)
    assert (named.id, named.root, named.options) == (active.id, root, {})


async def test_a_registry_that_is_away_is_the_answer_at_every_tier(
    service: Service, root: Path, tmp_path: Path
) -> None:
    service.names("some-id")
    away = Server({"dsn": "postgresql://nobody:hunter2@127.0.0.1:1/x"}, None)
    configure(tmp_path, "shop")
    projects = projects_of(away, service.url)
    for attempt in (projects.resolve(root, "some-id"), projects.resolve(tmp_path), projects.resolve(root),
                    projects.resolve(None), projects_of(away, "").resolve(root), projects.called("shop")):  # fmt: skip
        with pytest.raises(DatabaseUnavailable) as caught:
            await attempt
        assert "hunter2" not in str(caught.value) + caught.value.hint
    assert "id" not in json.loads((tmp_path / ".sightline/config.json").read_text())["project"]


async def test_an_active_project_is_indexed_into(
    data_dir: Path, service: Service, folder: Files, tmp_path: Path
) -> None:
    folder.write({"a.py": "def remember_session(): pass\n"})
    settings = Settings(data_dir=data_dir, workflow=WorkflowSettings(url=service.url))
    async with Workspaces.started(Settings(data_dir=data_dir), data_dir) as sightline:
        (tmp_path / "active").mkdir()
        active = (await sightline.open(tmp_path / "active")).project
    service.names(active.id)
    async with Workspaces.started(settings, data_dir) as sightline:
        workspace = await sightline.open(folder.root)
        await index(workspace)
        assert workspace.project.id == active.id
        assert await paths_of(workspace, "session") == ["a.py"]
    keys = await asked(data_dir, "select key from projects where key like '%' || $1", str(folder.root))
    assert keys == [], "the folder has no project of its own"
