"""The composition root: the only place that chooses adapters, and the entry of the command `sightline`."""

from __future__ import annotations

import contextlib
import gc
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

from sightline.settings import Settings

if TYPE_CHECKING:
    from sightline.workspaces import Workspaces


@contextlib.asynccontextmanager
async def open_sightline(settings: Settings) -> AsyncIterator[Workspaces]:
    """Database, workers and embedder of `settings`, for as long as the block lasts."""
    from sightline.adapters import embedded  # late: a command's `--help` needs none of it
    from sightline.workspaces import Workspaces

    # What is imported stays: without this, every full collection looks at half a million objects of libraries.
    gc.freeze()
    async with Workspaces.started(settings, settings.data_dir or embedded.default_data_dir()) as workspaces:
        yield workspaces


def main() -> None:
    """Runs the command line."""
    from sightline.cli import build

    build(open_sightline)()


if __name__ == "__main__":
    main()
