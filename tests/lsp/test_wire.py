"""One test for each fault of pygls 2.1.1 that our layer cures, by its number, and for what else it promises."""

from __future__ import annotations

import asyncio
import gc
import logging
import weakref
from typing import Any

import pytest
from lsprotocol import types
from pytest_lsp import client_capabilities

from sightline.lsp.params import converter
from sightline.lsp.wire import Server

from .demo import Anything, Echo, make
from .support import NOTHING_KEPT, connected, kept, talking, until_event

pytestmark = pytest.mark.asyncio


@pytest.fixture(autouse=True)
def _all_logs(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)


async def test_a_custom_request_without_params_is_answered() -> None:
    # Fault 1.
    async with talking(make()) as client:
        assert (await client.refused("demo/echo")).data[0]["loc"] == ["text"]
        assert await client.request("demo/raw") == {}


async def test_a_key_named_jsonrpc_inside_the_params_is_a_key() -> None:
    # Fault 2.
    async with talking(make()) as client:
        sent = {"inner": {"jsonrpc": "2.0", "id": 1, "method": "exit"}}
        assert await client.request("demo/raw", sent) == sent


async def test_a_result_that_json_cannot_take_is_answered() -> None:
    # Fault 3.
    async with talking(make()) as client:
        assert await client.request("demo/odd", {"kind": "values"}) == {
            "day": "2026-01-02",
            "path": "a/b",
            "set": [1],
            "bytes": "x",
            "nan": None,
            "symbol": {"location": {"uri": "file:///a"}, "name": "a", "kind": 5},
            "model": {"text": "x", "limit": 10, "mode": "words"},
        }
        assert await client.request("demo/odd", {"kind": "surrogate"}) == {"path": "caf?.py"}
        assert await client.request("demo/odd", {"kind": "null"}) is None
        assert (await client.refused("demo/odd", {"kind": "object"})).code == -32603


async def test_keys_that_are_no_python_names_arrive() -> None:
    # Fault 4.
    async with talking(make()) as client:
        sent = {"class": 1, "a-b": 2, "type_name": "x", "": [{"_": None}]}
        assert await client.request("demo/raw", sent) == sent
        assert await client.request("workspace/executeCommand", {"command": "demo.raw", "arguments": [sent]}) == sent


@pytest.mark.parametrize(
    ("method", "params"),
    [("demo/nap", {}), ("workspace/executeCommand", {"command": "demo.nap", "arguments": [{}]})],
)
async def test_a_cancelled_request_or_command_ends(method: str, params: Any) -> None:
    # Fault 5: the command ran on.
    async with talking(make()) as client:
        id_ = client.start(method, params)
        await until_event(client, "nap began")
        client.cancel(id_)
        assert (await client.failure(id_)).code == -32800
        assert (await client.request("demo/events"))[-1] == "nap cancelled"


async def test_shutdown_in_the_middle_of_commands_succeeds() -> None:
    # Fault 6.
    server = make()
    async with talking(server) as client:
        calls = [client.start("workspace/executeCommand", {"command": "demo.nap"}) for _ in range(3)]
        background = server.spawn(asyncio.sleep(60), "background")
        assert await client.request("shutdown") is None
        assert [(await client.failure(id_)).code for id_ in calls] == [-32802] * 3
        assert background.cancelled()
        assert types.SHUTDOWN in server.context.events
        client.notify("exit")
        assert await client.ended() == 0
        assert server.context.events[-1] == "closed"


async def test_a_connection_keeps_nothing_in_mind() -> None:
    # Fault 7.
    server = make()
    async with talking(server) as client:
        for number in range(100):
            client.notify("textDocument/didSave", {"textDocument": {"uri": "file:///a"}})
            client.start("workspace/executeCommand", {"command": "demo.nap", "arguments": [{"seconds": 0}]})
            client.start("demo/work", {"seconds": 0, "workDoneToken": number})
            client.start("demo/work", {"seconds": 0})
            client.start("demo/ask")
        client.replies["workspace/configuration"] = lambda params: [None]
        await asyncio.gather(*(client.answer(id_) for id_ in range(2, 402)))
        assert kept(server) == NOTHING_KEPT
        assert not server._tasks


async def test_closed_connections_leave_nothing_in_memory() -> None:
    # pygls caches methods with the protocol in the key.
    server = make()
    async with talking(server) as client:
        await client.request("demo/work", {"seconds": 0})
        await client.shut_down()
    gone = weakref.ref(server.protocol)
    del server, client
    for _ in range(100):
        await asyncio.sleep(0.05)
        gc.collect()
        if gone() is None:
            break
    assert gone() is None


async def test_a_late_answer_to_a_cancelled_question_is_ignored(caplog: pytest.LogCaptureFixture) -> None:
    # Fault 8.
    server = make()
    async with talking(server) as client:
        late: list[Any] = []
        client._reply = late.append  # type: ignore[method-assign]
        id_ = client.start("demo/ask")
        await client.expect("workspace/configuration")
        client.cancel(id_)
        assert (await client.failure(id_)).code == -32800
        assert await client.expect("$/cancelRequest") == {"id": late[0]["id"]}
        client.send({"jsonrpc": "2.0", "id": late[0]["id"], "result": [1]})
        assert await client.request("demo/raw") == {}
        assert kept(server) == NOTHING_KEPT
        assert not [m for m in client.received if m["method"] == "window/showMessage"]
        assert "InvalidState" not in caplog.text


async def test_the_token_of_a_command_reaches_it() -> None:
    # Fault 14.
    async with talking(make()) as client:
        params = {"command": "demo.work", "arguments": [{"seconds": 0}], "workDoneToken": "t"}
        assert await client.request("workspace/executeCommand", params) == "slept"
        assert (await client.expect("$/progress"))["token"] == "t"
        echo = {"command": "demo.echo", "arguments": [{"text": "a", "workDoneToken": 7}], "workDoneToken": "t"}
        assert (await client.request("workspace/executeCommand", echo))["workDoneToken"] == 7
        fail = {"command": "demo.fail", "arguments": [{"kind": "query"}], "workDoneToken": "t"}
        assert (await client.refused("workspace/executeCommand", fail)).data["code"] == "badQuery"


async def test_errors_on_purpose_leave_no_traceback_and_messages_no_trace(caplog: pytest.LogCaptureFixture) -> None:
    # Fault 15.
    async with talking(make()) as client:
        assert (await client.refused("demo/fail", {"kind": "on purpose"})).code == -32011
        await client.request("demo/echo", {"text": "private words"})
        await client.request("demo/raw", {"text": "private words"})
    assert not [record for record in caplog.records if record.exc_info]
    assert "private words" not in caplog.text


@pytest.mark.parametrize("arguments", [None, [], [None], [{}], [[]], ...])
async def test_a_command_takes_one_object_or_none_and_knows_its_defaults(arguments: Any) -> None:
    # Fault 16; Lua sends {} as [].
    async with talking(make()) as client:
        params = {"command": "demo.raw"} | ({} if arguments is ... else {"arguments": arguments})
        assert await client.request("workspace/executeCommand", params) == {}


async def test_fields_with_their_default_value_are_sent_and_absent_ones_are_not() -> None:
    # Fault 18. Neovim 0.12 would show null as vim.NIL.
    async with talking(make()) as client:
        assert await client.request("demo/echo", {"text": "a"}) == {"text": "a", "limit": 10, "mode": "words"}


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "utf-32"])
async def test_documents_stay_whole_below_odd_line_ends(encoding: str) -> None:
    # Fault 19.
    server = make()
    async with talking(server, capabilities={"general": {"positionEncodings": [encoding]}}) as client:
        text = "a\fb\u2028c\x85d\n😀 second\nthird"
        item = {"uri": "file:///a", "languageId": "x", "version": 1, "text": text}
        client.notify("textDocument/didOpen", {"textDocument": item})
        width = {"utf-8": 4, "utf-16": 2, "utf-32": 1}[encoding]
        span = {"start": {"line": 1, "character": width}, "end": {"line": 2, "character": 0}}
        changes = [{"range": span, "text": "!\n"}, {"range": span, "text": ""}]
        client.notify(
            "textDocument/didChange", {"textDocument": {"uri": "file:///a", "version": 2}, "contentChanges": changes}
        )
        await client.request("demo/raw")
        document = server.workspace.text_documents["file:///a"]
        assert (document.source, document.version) == ("a\fb\u2028c\x85d\n😀third", 2)
        client.notify(
            "textDocument/didChange",
            {"textDocument": {"uri": "file:///a", "version": 3}, "contentChanges": [{"text": "new"}]},
        )
        client.notify(
            "textDocument/didChange", {"textDocument": {"uri": "file:///b", "version": 1}, "contentChanges": changes}
        )
        client.notify("textDocument/didChange", {"textDocument": {}, "contentChanges": 5})
        await client.request("demo/raw")
        assert document.source == "new"
        client.notify("textDocument/didClose", {"textDocument": {"uri": "file:///a"}})
        await client.request("demo/raw")
        assert not server.workspace.text_documents


async def test_half_a_surrogate_pair_does_not_lose_an_edit() -> None:
    server = make()
    async with talking(server) as client:
        opened = '{"uri":"file:///a","languageId":"x","version":1,"text":"a\\ud800\\\\ud83d\\ud83d\\ude00b"}'
        client.send(
            f'{{"jsonrpc":"2.0","method":"textDocument/didOpen","params":{{"textDocument":{opened}}}}}'.encode()
        )
        await client.request("demo/raw")
        assert server.workspace.text_documents["file:///a"].source == "a\ufffd\\ud83d😀b"


async def test_a_folder_that_changes_its_name_is_not_lost() -> None:
    server = make()
    async with talking(server, rootUri="file:///some/root/") as client:
        assert [folder.name for folder in server.workspace.folders.values()] == ["root"]
        old, new = {"uri": "file:///some/root/", "name": "root"}, {"uri": "file:///some/root/", "name": "new"}
        client.notify("workspace/didChangeWorkspaceFolders", {"event": {"removed": [old], "added": [new]}})
        await client.request("demo/raw")
        assert [folder.name for folder in server.workspace.folders.values()] == ["new"]


@pytest.mark.parametrize("root", [{"rootUri": "file:///a/b"}, {"rootPath": "/a/b"}])
async def test_a_client_without_folders_has_its_root(root: dict[str, str]) -> None:
    server = make()
    async with talking(server, **root):
        assert [(folder.uri, folder.name) for folder in server.workspace.folders.values()] == [("file:///a/b", "b")]


async def test_folders_win_over_the_root() -> None:
    server = make()
    folders = [{"uri": "file:///a", "name": "a"}, {"uri": "file:///b", "name": "b"}]
    async with talking(server, rootUri="file:///c", workspaceFolders=folders):
        assert list(server.workspace.folders) == ["file:///a", "file:///b"]


async def test_hello_tells_name_commands_and_capabilities() -> None:
    async with connected(make()) as client:
        result = await client.initialize(capabilities={"general": {"positionEncodings": ["utf-8", "utf-16"]}})
        assert result["serverInfo"] == {"name": "demo", "version": "1.0"}
        capabilities = result["capabilities"]
        assert capabilities["experimental"] == {"demo": {"version": 1}}
        assert capabilities["positionEncoding"] == "utf-8"
        assert "demo.echo" in capabilities["executeCommandProvider"]["commands"]
        assert capabilities["workspaceSymbolProvider"] is not None
        assert capabilities["textDocumentSync"]["change"] == 2
        assert (await client.request("demo/events"))[:2] == ["initialize", "initialized"]


@pytest.mark.parametrize("client_name", ["neovim", "emacs", "visual_studio_code"])
async def test_the_hello_of_real_editors_is_understood(client_name: str) -> None:
    server = make()
    capabilities = converter().unstructure(client_capabilities(client_name))
    async with talking(server, capabilities=capabilities, trace="verbose", locale="en", clientInfo={"name": "x"}):
        assert server.client_capabilities.text_document
        assert server.protocol.shows_progress


async def test_a_notification_that_cannot_be_followed_ends_nothing(caplog: pytest.LogCaptureFixture) -> None:
    server = make()

    async def stumble(context: Any, params: Any) -> None:
        raise RuntimeError("stumbled")

    server.add_feature("demo/stumble", stumble)
    async with talking(server) as client:
        client.notify("demo/stumble", {"any": "thing"})
        client.notify("textDocument/didSave", {"textDocument": 5})
        client.notify("textDocument/didSave", "text")
        client.notify("demo/unknown", {})
        client.notify("$/setTrace", {"value": "off"})
        assert await client.request("demo/raw") == {}
    assert "stumbled" in caplog.text
    assert caplog.text.count("was not followed") == 3


async def test_a_task_that_dies_is_told_to_the_log(caplog: pytest.LogCaptureFixture) -> None:
    async def dying() -> None:
        raise RuntimeError("died")

    server = make()
    async with talking(server):
        await asyncio.wait([server.spawn(dying(), "dying")])
    assert "dying ended unexpectedly" in caplog.text


async def test_a_handler_that_does_not_end_does_not_keep_the_server(caplog: pytest.LogCaptureFixture) -> None:
    server = make()
    async with talking(server) as client:
        client.start("demo/stubborn")
        await client.request("demo/raw")
        assert await client.shut_down() == 0
        server.context.events.append("enough")
    assert "does not end" in caplog.text


async def test_notifications_of_ours_may_be_models_types_and_plain() -> None:
    server = make()
    async with talking(server) as client:
        server.notify("demo/model", Echo(text="x"))
        server.notify("demo/plain", {"a": None})
        server.notify("demo/none")
        server.window_log_message(types.LogMessageParams(types.MessageType.Info, "hello"))
        assert (await client.expect("demo/model"))["limit"] == 10
        assert await client.expect("demo/plain") == {"a": None}
        assert await client.expect("demo/none") is None
        assert await client.expect("window/logMessage") == {"type": 3, "message": "hello"}
        with pytest.raises(ValueError, match="cannot be sent"):
            server.notify("demo/odd", object())


async def test_nothing_is_sent_before_there_is_a_client() -> None:
    make().notify("demo/early")


async def test_a_handler_that_fails_to_start_ends_the_connection() -> None:
    def lifespan(server: Any) -> Any:
        raise RuntimeError("no database")

    server = make(lifespan=lifespan)
    with pytest.raises(RuntimeError):
        async with connected(server) as client:
            await client.ended()


async def test_a_context_can_be_given_without_a_lifespan() -> None:
    server = Server("bare", "1.0")
    server.context = "given"

    async def tell(context: Any, params: Any) -> Any:
        return context

    server.add_request("demo/context", Anything, tell)
    async with talking(server) as client:
        assert await client.request("demo/context") == "given"
