"""Tells which paths below a folder may have changed. Events are hints: what they say of the change is not used."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncGenerator, AsyncIterator
from pathlib import Path
from typing import Final

from watchfiles import Change, awatch
from watchfiles._rust_notify import WatchfilesRustInternalError
from watchfiles.main import FileChange

MANY: Final = 2_000
"""From this many paths on, a scan of the whole folder costs less than a look at each."""
DEBOUNCE_MS, STEP_MS = 100, 20
POLL_SECONDS: Final = 2
REPORT: Final = logging.getLogger(__name__)
_INTERNAL: Final = frozenset((".git", ".hg", ".svn", ".jj"))


async def changes(root: Path) -> AsyncIterator[set[str]]:
    """Sets of relative paths, {""} for the whole folder, for as long as the caller listens.

    Falls back to polling where the system cannot watch so many folders, and then says so once.
    """
    polling = False
    while True:
        while not await asyncio.to_thread(root.is_dir):  # noqa: ASYNC110 - nothing tells when it appears
            await asyncio.sleep(POLL_SECONDS)
        try:
            async with contextlib.aclosing(_events(root, polling=polling)) as events:
                async for changed in events:
                    paths = {path for _, path in changed}
                    yield _relative(root, paths)
                    if str(root) in paths:  # removed or renamed: what is at this path from now on is not watched
                        break
        except ExceptionGroup:  # a name that is no UTF-8: what else happened meanwhile is not known
            await asyncio.sleep(POLL_SECONDS)
        except (OSError, WatchfilesRustInternalError) as error:
            if polling:
                REPORT.warning("changes in %s are not noticed until the next scan: %s", root.name, error)
                await asyncio.sleep(POLL_SECONDS)
            else:
                REPORT.warning("%s cannot be watched (%s); it is polled every %d s", root.name, error, POLL_SECONDS)
            polling = True
        yield {""}


def _events(root: Path, *, polling: bool) -> AsyncGenerator[set[FileChange], None]:
    return awatch(
        root,
        watch_filter=_outside_version_control,
        debounce=DEBOUNCE_MS,
        step=STEP_MS,
        recursive=True,
        force_polling=polling,
        poll_delay_ms=1000 * POLL_SECONDS,
        ignore_permission_denied=True,
    )


def _outside_version_control(_change: Change, path: str) -> bool:
    return _INTERNAL.isdisjoint(path.split("/"))


def _relative(root: Path, paths: set[str]) -> set[str]:
    prefix = f"{root}/"
    found = {path.removeprefix(prefix) for path in paths if path.startswith(prefix)}
    return found if 0 < len(found) == len(paths) and len(found) < MANY else {""}
