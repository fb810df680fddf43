"""Who answers a message: pygls's protocol with reading, dispatch, answers and cancellation of our own."""

from __future__ import annotations

import asyncio
import enum
import functools
import inspect
import logging
import uuid
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import attrs
import cattrs
from lsprotocol import types
from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel
from pygls.capabilities import ServerCapabilitiesBuilder
from pygls.exceptions import JsonRpcException, JsonRpcInvalidParams, JsonRpcMethodNotFound
from pygls.protocol import LanguageServerProtocol
from pygls.uris import from_fs_path

from sightline.lsp import jsonrpc
from sightline.lsp.documents import OpenDocuments
from sightline.lsp.failures import failure_of
from sightline.lsp.framing import Outbox
from sightline.lsp.jsonrpc import Failure, MessageId, Notification, Request, Response
from sightline.lsp.params import invalid_params, shortened, structure, validate
from sightline.lsp.progress import Progress, Token

if TYPE_CHECKING:
    from sightline.lsp.wire import Server

log = logging.getLogger(__name__)
logging.getLogger("pygls").setLevel(logging.WARNING)  # at INFO it logs the folders of a workspace

#: What answers a message: `async (context, params) -> result`.
Handler = Callable[[Any, Any], Awaitable[Any]]

#: So many unanswered requests come from no editor.
CALLS_LIMIT = 1000


@dataclass(frozen=True)
class Endpoint:
    """A request or command of ours: its parameters and who answers it."""

    params: type[BaseModel]
    handler: Handler


@dataclass
class _Call:
    task: asyncio.Task[Any]
    cancelled_by_client: bool = False


class _Phase(enum.Enum):
    NEW = enum.auto()
    RUNNING = enum.auto()
    STOPPED = enum.auto()


class _ExecuteCommand(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, strict=True)

    command: str
    arguments: list[Any] | None = None
    work_done_token: Token | None = None


class Protocol(LanguageServerProtocol):
    """The state of one connection: phase, requests in flight, documents, work."""

    _server: Server

    def __init__(self, server: Server, converter: cattrs.Converter) -> None:
        # Before pygls looks at every property for features.
        self._phase = _Phase.NEW
        self.client_capabilities = types.ClientCapabilities()
        super().__init__(server, converter)
        self.outbox: Outbox | None = None
        self.works = Progress(self)
        self.commands: dict[str, Endpoint] = {}
        self.endpoints = {types.WORKSPACE_EXECUTE_COMMAND: Endpoint(_ExecuteCommand, self._execute)}
        # Instead of those of pygls.
        self._builtins: dict[str, Callable[[Any], Awaitable[Any]]] = {
            types.INITIALIZE: self._initialize,
            types.SHUTDOWN: self._shut_down,
            types.WORKSPACE_DID_CHANGE_WORKSPACE_FOLDERS: self._change_folders,
            types.WINDOW_WORK_DONE_PROGRESS_CANCEL: self._cancel_work,
        }
        self._calls: dict[MessageId, _Call] = {}

    @property
    def stopped(self) -> bool:
        """Whether the client has asked for the shutdown."""
        return self._phase is _Phase.STOPPED

    @property
    def shows_progress(self) -> bool:
        """Whether the client shows progress that it did not ask for."""
        window = self.client_capabilities.window
        return bool(window and window.work_done_progress)

    async def receive(self, body: bytes) -> bool:
        """Take in one body and let begin what it asks for; whether it was JSON at all."""
        try:
            match jsonrpc.decode(body):
                case Request() as request:
                    await self._begin(request)
                case Notification() as notification:
                    self._take_notice(notification)
                case Response() as response:
                    self._settle(response)
        except jsonrpc.MessageError as error:
            self._send(jsonrpc.refusal(error.id, error.failure))
            return error.failure.code != jsonrpc.PARSE_ERROR
        finally:
            await asyncio.sleep(0)  # a flood of messages must not keep the answers from being sent
        return True

    def cancel_calls(self) -> list[asyncio.Task[Any]]:
        """Cancel the requests in flight, except the one that asks for it, and return their tasks."""
        tasks = [call.task for call in self._calls.values() if call.task is not asyncio.current_task()]
        for task in tasks:
            task.cancel()
        return tasks

    async def _begin(self, request: Request) -> None:
        failure = self._objection(request)
        if failure:
            self._send(jsonrpc.refusal(request.id, failure))
            return
        if request.method == types.SHUTDOWN:
            self._phase = _Phase.STOPPED
        task = asyncio.get_running_loop().create_task(self._result(request))
        self._calls[request.id] = _Call(task)
        # A callback, because a task that is cancelled before its first step runs no line of its own.
        task.add_done_callback(functools.partial(self._finish, request))
        if request.method == types.INITIALIZE:
            await asyncio.wait([task])  # what a hasty client sends behind it must not be refused

    def _objection(self, request: Request) -> Failure | None:
        if request.id in self._calls:
            return Failure(jsonrpc.INVALID_REQUEST, "An earlier request with this id has not been answered yet.")
        if len(self._calls) >= CALLS_LIMIT:
            return Failure(jsonrpc.REQUEST_FAILED, "Too many requests at once.", {"code": "busy", "hint": ""})
        if self._phase is _Phase.STOPPED:
            return Failure(jsonrpc.INVALID_REQUEST, "The server has been shut down.")
        if self._phase is _Phase.NEW and request.method != types.INITIALIZE:
            return Failure(jsonrpc.NOT_INITIALIZED, "The first request must be initialize.")
        if self._phase is _Phase.RUNNING and request.method == types.INITIALIZE:
            return Failure(jsonrpc.INVALID_REQUEST, "The server is initialized already.")
        return None

    async def _result(self, request: Request) -> Any:
        endpoint = self.endpoints.get(request.method)
        if endpoint:
            return await endpoint.handler(self._server.context, validate(endpoint.params, request.params))
        return await self._run(request.method, request.params, wants_answer=True)

    def _finish(self, request: Request, task: asyncio.Task[Any]) -> None:
        by_client = self._calls.pop(request.id).cancelled_by_client
        error = asyncio.CancelledError() if task.cancelled() else task.exception()
        if error is not None:
            failure = failure_of(error, request.method, cancelled_by_client=by_client)
            # A bad query's failure repeats it.
            level = logging.DEBUG if failure.code == jsonrpc.INVALID_PARAMS else logging.INFO
            log.log(level, "%s: %s", shortened(request.method), failure.message)
            self._send(jsonrpc.refusal(request.id, failure))
            return
        if request.method == types.INITIALIZE:
            self._phase = _Phase.RUNNING
        try:
            self._send(jsonrpc.answer(request.id, task.result()))
        except (ValueError, TypeError, RecursionError) as unfit:
            self._send(jsonrpc.refusal(request.id, failure_of(unfit, request.method)))

    def _take_notice(self, notification: Notification) -> None:
        if notification.method == types.EXIT:
            self._server.stop()
        elif notification.method == types.CANCEL_REQUEST:
            self._cancel(notification.params)
        elif self._phase is _Phase.RUNNING:
            self._server.spawn(self._follow(notification), shortened(notification.method))

    def _cancel(self, params: Any) -> None:
        id_ = params.get("id") if isinstance(params, dict) else None
        call = self._calls.get(id_) if isinstance(id_, int | str) else None
        if call:
            call.cancelled_by_client = True
            call.task.cancel()

    async def _follow(self, notification: Notification) -> None:
        try:
            await self._run(notification.method, notification.params, wants_answer=False)
        except JsonRpcMethodNotFound:
            log.debug("no one follows %s", shortened(notification.method))
        except Exception as error:  # noqa: BLE001  nothing that a client sends may end the server
            failure = failure_of(error, notification.method)
            log.warning("%s was not followed: %s", shortened(notification.method), failure.message)

    def _settle(self, response: Response) -> None:
        id_ = response.id if isinstance(response.id, str) else ""  # ours are strings
        future = self._request_futures.pop(id_, None)
        kind = self._result_types.pop(id_, None)
        if future is None or future.done():
            log.debug("the client answers what was not asked")
        elif response.error is not None:
            future.set_exception(_refused(response.error))
        else:
            whole = {"id": id_, "jsonrpc": "2.0", "result": response.result}
            try:
                future.set_result(structure(self._converter, whole, kind).result if kind else response.result)
            except JsonRpcInvalidParams:
                future.set_exception(_refused({"message": "its answer is malformed"}))

    async def _run(self, method: str, params: Any, *, wants_answer: bool) -> Any:
        known = types.METHOD_TO_TYPES.get(method)
        handler = self._builtins.get(method) or self.fm.builtin_features.get(method) or self.fm.features.get(method)
        if handler is None or (known and (known[1] is not None) != wants_answer):
            raise JsonRpcMethodNotFound(f"Unknown method {shortened(method)}")
        structured = structure(self._converter, params, known[2] if known else None)
        if not inspect.isgeneratorfunction(handler):
            return await handler(structured)
        # pygls's own: it yields the handler to call with its arguments.
        generator = handler(structured)
        for user_handler, arguments, _ in generator:
            await user_handler(*arguments)
        return None

    async def _call_user(self, method: str, params: Any) -> None:
        handler = self.fm.features.get(method)
        if handler:
            await handler(params)

    async def _initialize(self, params: types.InitializeParams) -> types.InitializeResult:
        server = self._server
        server.process_id = params.process_id
        self.client_capabilities = params.capabilities
        encoding = ServerCapabilitiesBuilder.choose_position_encoding(params.capabilities)
        sync = types.TextDocumentSyncKind.Incremental
        root = params.root_uri or (from_fs_path(params.root_path) if params.root_path else None)
        try:
            self._workspace = OpenDocuments(root, sync, _folders(params.workspace_folders, root), encoding)
        except ValueError as error:
            raise JsonRpcInvalidParams("A root or folder is not a URI.") from error
        await self._call_user(types.INITIALIZE, params)
        features = {*self.fm.features, *self.fm.builtin_features}
        options = self.fm.feature_options
        builder = ServerCapabilitiesBuilder(
            params.capabilities, features, options, list(self.commands), sync, None, encoding
        )
        self.server_capabilities = builder.build()  # type: ignore[no-untyped-call]
        self.server_capabilities.experimental = server.experimental
        return types.InitializeResult(capabilities=self.server_capabilities, server_info=self.server_info)

    async def _shut_down(self, params: None) -> None:
        self.cancel_calls()
        await self._call_user(types.SHUTDOWN, params)
        await self._server.stop_tasks()

    async def _change_folders(self, params: types.DidChangeWorkspaceFoldersParams) -> None:
        # Removed ones first: a folder that only changes its name comes as both.
        for folder in params.event.removed:
            self.workspace.remove_folder(folder.uri)
        for folder in params.event.added:
            self.workspace.add_folder(folder)
        await self._call_user(types.WORKSPACE_DID_CHANGE_WORKSPACE_FOLDERS, params)

    async def _cancel_work(self, params: types.WorkDoneProgressCancelParams) -> None:
        self.works.cancel(params.token)
        await self._call_user(types.WINDOW_WORK_DONE_PROGRESS_CANCEL, params)

    async def _execute(self, context: Any, params: _ExecuteCommand) -> Any:
        endpoint = self.commands.get(params.command)
        if endpoint is None:
            raise invalid_params([(("command",), f"Unknown command {shortened(params.command)}", "value_error")])
        arguments = params.arguments or [{}]
        if len(arguments) > 1:
            raise invalid_params([(("arguments",), "A command takes one object", "too_long")])
        given = {} if arguments[0] in (None, []) else arguments[0]
        token = params.work_done_token
        if token is not None and isinstance(given, dict) and "work_done_token" in endpoint.params.model_fields:
            given = {"workDoneToken": token, **given}
        return await endpoint.handler(context, validate(endpoint.params, given))

    def notify(self, method: str, params: Any | None = None) -> None:
        """Send a notification; parameters may be a model, a type of lsprotocol or plain."""
        message = {"jsonrpc": "2.0", "method": method}
        self._send(message if params is None else message | {"params": params})

    async def send_request_async(self, method: str, params: Any | None = None, msg_id: MessageId | None = None) -> Any:
        """Ask the client; JsonRpcException where it refuses. Who no longer waits tells it, and leaves nothing."""
        id_ = msg_id or str(uuid.uuid4())
        try:
            return await asyncio.wrap_future(self.send_request(method, params, msg_id=id_))
        except asyncio.CancelledError:
            self.notify(types.CANCEL_REQUEST, {"id": id_})
            raise
        finally:
            self._request_futures.pop(id_, None)
            self._result_types.pop(id_, None)

    # pygls caches these two with `self` in the key, which keeps closed connections alive.
    def get_message_type(self, method: str) -> Any:  # type: ignore[override]
        """The type of a message of LSP."""
        return types.METHOD_TO_TYPES.get(method, (None,))[0]

    def get_result_type(self, method: str) -> Any:  # type: ignore[override]
        """The type of an answer of LSP."""
        return types.METHOD_TO_TYPES.get(method, (None, None))[1]

    def _send_data(self, data: Any) -> None:
        self._send(data)

    def _send(self, message: Any) -> None:
        if self.outbox is not None:
            self.outbox.send(jsonrpc.encode(message, self._plain))

    def _plain(self, value: Any) -> Any:
        if attrs.has(type(value)):
            return self._converter.unstructure(value)
        raise ValueError(f"{type(value).__name__} cannot be sent")


def _folders(folders: Sequence[types.WorkspaceFolder] | None, root: str | None) -> list[types.WorkspaceFolder]:
    """The folders; clients that know of none (Kate, some of Emacs) have a root."""
    if folders or not root:
        return list(folders or [])
    return [types.WorkspaceFolder(root, root.rstrip("/").rpartition("/")[2])]


def _refused(error: Any) -> JsonRpcException:
    told = error.get("message") if isinstance(error, dict) else None
    message = f"The editor refused: {shortened(str(told or 'it did not say why'))}"
    return JsonRpcException(message, jsonrpc.REQUEST_FAILED, {"code": "editorRefused", "hint": ""})
