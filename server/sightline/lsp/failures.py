"""Which JSON-RPC error stands for which exception, and what it may tell the client."""

from __future__ import annotations

import asyncio
import logging
import uuid

from pygls.exceptions import JsonRpcException

from sightline.errors import Cancelled, QueryError, SightlineError
from sightline.lsp import jsonrpc
from sightline.lsp.jsonrpc import Failure
from sightline.lsp.params import shortened

log = logging.getLogger(__name__)


def failure_of(error: BaseException, what: str, *, cancelled_by_client: bool = False) -> Failure:
    """The error to answer with where `what` ended in an exception; the unexpected is logged, not told."""
    match error:
        case asyncio.CancelledError() | Cancelled():
            code = jsonrpc.REQUEST_CANCELLED if cancelled_by_client else jsonrpc.SERVER_CANCELLED
            return Failure(code, str(error) or "The request was cancelled.", _data(Cancelled.code))
        case JsonRpcException():
            return Failure(error.code, error.message, error.data)
        case QueryError():
            return Failure(jsonrpc.INVALID_PARAMS, str(error), _data(error.code, error.hint))
        case SightlineError():
            return Failure(jsonrpc.REQUEST_FAILED, str(error), _data(error.code, error.hint))
    reference = uuid.uuid4().hex[:8]
    log.error("%s failed unexpectedly [%s]", shortened(what), reference, exc_info=error)
    sentence = f"Something went wrong in the server; its log says more under {reference}."
    return Failure(jsonrpc.INTERNAL_ERROR, sentence, _data(SightlineError.code) | {"reference": reference})


def _data(code: str, hint: str = "") -> dict[str, str]:
    return {"code": code, "hint": hint}
