"""The product's server in this process, over the run's embedded Postgres, and what an editor does with it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

from sightline.lsp.server import make
from sightline.lsp.wire import Server
from sightline.workspaces import Workspaces

from .support import PATIENCE, Client, RpcError, connected

CAPABILITIES: Final[dict[str, Any]] = {
    "window": {"workDoneProgress": True, "showDocument": {"support": True}},
    "workspace": {"configuration": True, "workspaceFolders": True},
}
VS_CODE: Final = {"name": "Visual Studio Code", "version": "1.100.0"}
SESSIONS: Final = '''"""Sessions that outlive the process."""


class SessionStore:
    """Keeps sessions on disk."""

    def save_session(self, session):
        """Writes a session to its file."""
        return session

    def load_session(self, name):
        return name
'''
UPLOAD: Final = "def retry_failed_uploads(queue):\n    for upload in queue:\n        upload.again()\n"
SHOP: Final[dict[str, str | bytes]] = {
    "src/sessions.py": SESSIONS,
    "src/net/upload.py": UPLOAD,
    "src/greeting.py": "def greet_user(name):\n    '''Wörld'''; label = '🙂🙂'; hello_there(name)\n    return label\n",
    "app/[slug]/page.ts": "export interface PageProps { slug: string }\nexport const PAGE_SIZE = 20\n",
    "app/other/page.ts": "export function renderPage(size: number) { return size }\n",
    "core/shape.rs": "pub struct Circle { radius: f64 }\npub trait Area { fn area(&self) -> f64; }\npub mod inner {}\n",
    "tests/test_sessions.py": "def test_save_session():\n    assert SessionStore().save_session(1)\n",
    "docs/guide.md": "# Sessions\n\nA session is kept on disk until it is closed.\n",
    ".gitignore": "built/\n",
    "built/out.py": "def built_session(): pass\n",
    ".env": "PASSWORD=secret\n",
    "logo.png": b"\x89PNG\r\n\x1a\n\0\0\0",
}
"""A project of a few languages, with files that are left out."""


def product(data_dir: Path) -> Server:
    """The server that `sightline serve` runs, but for the folder of its database."""
    return make(lambda settings: Workspaces.started(settings, data_dir))


@asynccontextmanager
async def editing(
    data_dir: Path, *roots: Path, settings: Any = None, server: Server | None = None, **params: Any
) -> AsyncIterator[Client]:
    """An editor that has opened folders and asks for nothing more; `settings` is what it answers when asked."""
    async with connected(server or product(data_dir)) as client:
        client.replies["workspace/configuration"] = lambda asked: [settings]
        client.replies["window/showDocument"] = lambda asked: {"success": True}
        folders = [as_folder(root) for root in roots]
        await client.initialize(**{"capabilities": CAPABILITIES, "workspaceFolders": folders, **params})
        yield client


def as_folder(root: Path) -> dict[str, str]:
    """A folder as an editor names it."""
    return {"uri": root.as_uri(), "name": root.name}


async def eventually(client: Client, method: str, params: Any, condition: Callable[[Any], Any]) -> Any:
    """The first result of a request that fulfils the condition; until then it may fail as well."""
    answer: Any = None
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        try:
            answer = await client.request(method, params)
            if condition(answer):
                return answer
        except RpcError as error:
            answer = error
        await asyncio.sleep(0.02)
    raise AssertionError(f"it did not come about; the last answer: {answer}")


async def indexed(client: Client) -> dict[str, Any]:
    """Waits until all is indexed that the server knows of; its status."""
    found: dict[str, Any] = await eventually(client, "sightline/status", {}, is_current)
    return found


def is_current(status: dict[str, Any]) -> bool:
    """Whether a status is of folders that are all indexed."""
    return all(each["indexedPercent"] == 100 and not each["queued"] for each in status["folders"])


def paths(answer: dict[str, Any]) -> list[str]:
    """Where an answer's hits are."""
    return [hit["path"] for hit in answer["hits"]]


def opened(path: Path, text: str) -> dict[str, Any]:
    """The parameters of `didOpen`."""
    return {"textDocument": {"uri": path.as_uri(), "languageId": "python", "version": 1, "text": text}}
