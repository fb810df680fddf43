"""The settings that a client gives, in whichever way it does."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any, Final

from lsprotocol import types
from pygls.exceptions import JsonRpcException

from sightline.lsp.wire import Server

ANSWER_SECONDS: Final = 2.0
"""A client that does not answer for so long has no settings."""
SECTION: Final = "sightline"
LOG: Final = logging.getLogger(__name__)


async def given(server: Server, pushed: Any, began_with: Any) -> dict[str, Any]:
    """What the client answers where it can be asked, else what it pushed, else what it began with."""
    workspace = server.client_capabilities.workspace
    asked = await _asked(server) if workspace and workspace.configuration else None
    return next(filter(None, map(_own, (asked, pushed, began_with))), {})


async def _asked(server: Server) -> Any:
    item = types.ConfigurationItem(section=SECTION)
    try:
        async with asyncio.timeout(ANSWER_SECONDS):
            found: Coroutine[Any, Any, Any] = server.workspace_configuration_async(types.ConfigurationParams([item]))
            return (await found)[0]
    except (TimeoutError, JsonRpcException, IndexError) as error:
        LOG.warning("the client gives no settings: %s", error or "no answer")
        return {}


def _own(values: Any) -> dict[str, Any]:
    """The settings among what a client gave: ours alone, or under our name among others."""
    values = values.get(SECTION, values) if isinstance(values, dict) else {}
    return values if isinstance(values, dict) else {}
