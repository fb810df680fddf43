"""JSON-RPC 2.0 messages: bytes to values and values to bytes."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from pydantic_core import PydanticSerializationError, from_json, to_json, to_jsonable_python

PARSE_ERROR = -32700
INVALID_REQUEST = -32600
METHOD_NOT_FOUND = -32601
INVALID_PARAMS = -32602
INTERNAL_ERROR = -32603
NOT_INITIALIZED = -32002
REQUEST_CANCELLED = -32800
#: For what its progress or our own end cancelled: Neovim drops answers with -32800 unless it cancelled by id.
SERVER_CANCELLED = -32802
REQUEST_FAILED = -32803

MessageId = int | str


@dataclass(frozen=True)
class Failure:
    """The `error` member of an answer."""

    code: int
    message: str
    data: Any = None


@dataclass(frozen=True)
class Request:
    """A message that wants an answer."""

    id: MessageId
    method: str
    params: Any = None


@dataclass(frozen=True)
class Notification:
    """A message that wants none."""

    method: str
    params: Any = None


@dataclass(frozen=True)
class Response:
    """The client's answer to a request of ours."""

    id: Any
    result: Any = None
    error: Any = None


Message = Request | Notification | Response


class MessageError(Exception):
    """A body that is no message: `failure` answers it, to `id` where it has one."""

    def __init__(self, failure: Failure, id: MessageId | None = None) -> None:
        super().__init__(failure.message)
        self.failure = failure
        self.id = id


def decode(body: bytes) -> Message:
    """The message in a body; MessageError where there is none."""
    try:
        value = _parse(body)
    except (ValueError, RecursionError) as error:
        raise MessageError(Failure(PARSE_ERROR, "The message is not valid JSON.")) from error
    if not isinstance(value, dict):
        raise MessageError(Failure(INVALID_REQUEST, "A message is one object; there are no batches in LSP."))
    id_, method, params = value.get("id"), value.get("method"), value.get("params")
    # First, and never answered: two sides that answer each other's errors would not end.
    if method is None and ("result" in value or "error" in value):
        return Response(id_, value.get("result"), value.get("error"))
    known = id_ if type(id_) in (int, str) else None
    if value.get("jsonrpc") != "2.0" or not isinstance(method, str) or ("id" in value and known is None):
        raise MessageError(Failure(INVALID_REQUEST, "The message is not a JSON-RPC 2.0 request."), known)
    return Request(known, method, params) if known is not None else Notification(method, params)


def _parse(body: bytes) -> Any:
    try:
        return from_json(body, allow_inf_nan=False)
    except ValueError:
        if b"\\u" not in body:
            raise
    # JavaScript escapes half a surrogate pair where a document holds one. U+FFFD is as long in UTF-16.
    text = json.dumps(json.loads(body.decode()), ensure_ascii=False)
    return from_json(text.encode("utf-16", "surrogatepass").decode("utf-16", "replace").encode(), allow_inf_nan=False)


def encode(message: Any, plain: Callable[[Any], Any]) -> bytes:
    """A message as JSON; `plain` turns what pydantic does not know into simpler values. ValueError where it cannot.

    Models lose the fields that are None (Neovim 0.12 shows null as `vim.NIL`); NaN and infinity become null.
    """
    try:
        return to_json(message, by_alias=True, exclude_none=True, inf_nan_mode="null", fallback=plain)
    except PydanticSerializationError:
        # A file name that is no UTF-8 has lone surrogates: better a question mark in it than no answer.
        value = to_jsonable_python(message, by_alias=True, exclude_none=True, inf_nan_mode="null", fallback=plain)
        return json.dumps(value, ensure_ascii=False, allow_nan=False).encode("utf-8", "replace")


def answer(id_: MessageId, result: Any) -> dict[str, Any]:
    """The message that answers a request."""
    return {"jsonrpc": "2.0", "id": id_, "result": result}


def refusal(id_: MessageId | None, failure: Failure) -> dict[str, Any]:
    """The message that answers a request, or what is none, with an error."""
    error = {"code": failure.code, "message": failure.message}
    return {"jsonrpc": "2.0", "id": id_, "error": error if failure.data is None else error | {"data": failure.data}}
