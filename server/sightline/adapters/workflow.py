"""Asks a workflow server which project is active; whatever it does, it costs no more than its time-out."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any, Final

from sightline.core.identity import parse_id
from sightline.errors import ProjectError

PATH: Final = "/api/v1/projects/active"
FRESH_SECONDS: Final = 60.0
MOST_BYTES: Final = 1 << 16
OK, NOT_FOUND = 200, 404
NONE_ACTIVE: Final = "the server says that no project is active"


@dataclass(frozen=True, slots=True)
class Active:
    """The project that is active, or why none is known."""

    project_id: str | None
    reason: str


class Workflow:
    """One server, or none where `url` is empty. What it says is believed for a minute; that it fails, never."""

    def __init__(self, url: str, timeout: float, fresh: float = FRESH_SECONDS) -> None:
        self._url = url
        self._timeout = timeout
        self._fresh = fresh
        self._known: tuple[float, Active] | None = None
        self._asking = asyncio.Lock()

    async def active(self) -> Active:
        """Which project is active."""
        if not self._url:
            return Active(None, "no workflow server is set")
        async with self._asking:
            if self._known is not None and time.monotonic() - self._known[0] < self._fresh:
                return self._known[1]
            try:
                found = await self._asked()
            except _NoAnswer as error:
                return Active(None, str(error))
            self._known = time.monotonic(), found
            return found

    async def _asked(self) -> Active:
        import httpx  # late: most have no such server

        try:
            # Asked directly: a proxy of the environment is for the world outside.
            async with (
                asyncio.timeout(self._timeout),
                httpx.AsyncClient(timeout=None, trust_env=False) as client,
                client.stream("GET", self._url + PATH, headers={"Accept": "application/json"}) as answer,
            ):
                return await _read(answer.status_code, answer.aiter_bytes())
        except TimeoutError as error:
            raise _NoAnswer(f"the server did not answer within {self._timeout:g} s") from error
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise _NoAnswer("the server cannot be reached") from error


class _NoAnswer(Exception):
    """Nothing that could be believed."""


async def _read(status: int, parts: AsyncIterator[bytes]) -> Active:
    if status == NOT_FOUND:
        return Active(None, NONE_ACTIVE)
    if status != OK:
        raise _NoAnswer(f"the server answered with status {status}")
    data = b""
    async for part in parts:
        data += part
        if len(data) > MOST_BYTES:
            raise _NoAnswer("the server's answer is too long")
    return _understood(data)


def _understood(data: bytes) -> Active:
    try:
        found: Any = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise _NoAnswer("the server's answer is no JSON") from error
    if not isinstance(found, dict) or "project_id" not in found:
        raise _NoAnswer("the server's answer has no project_id")
    if found["project_id"] is None:
        return Active(None, NONE_ACTIVE)
    try:
        return Active(parse_id(found["project_id"]), "the server names it")
    except (ProjectError, TypeError) as error:
        raise _NoAnswer("the server's project_id is no project id") from error
