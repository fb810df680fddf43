"""Every request gets one answer, whatever it is."""

from __future__ import annotations

import json
from typing import Any

import pytest
from lsprotocol import types

from sightline.lsp.dispatch import CALLS_LIMIT
from sightline.lsp.params import converter

from .demo import make
from .support import RpcError, connected, talking

pytestmark = pytest.mark.asyncio


@pytest.mark.parametrize(
    ("method", "params"),
    [
        ("workspace/symbol", {}),
        ("workspace/symbol", None),
        ("workspace/symbol", []),
        ("workspace/symbol", "text"),
        ("workspace/symbol", {"query": 5}),
        ("workspace/executeCommand", {}),
        ("workspace/executeCommand", {"command": 1}),
        ("workspace/executeCommand", {"command": "demo.unknown"}),
        ("workspace/executeCommand", {"command": "demo.echo"}),
        ("workspace/executeCommand", {"command": "demo.echo", "arguments": {}}),
        ("workspace/executeCommand", {"command": "demo.echo", "arguments": [{"text": ""}, {}]}),
        ("workspace/executeCommand", {"command": "demo.echo", "arguments": ["text"]}),
        ("workspace/executeCommand", {"command": "demo.raw", "arguments": [0]}),
        ("workspace/executeCommand", {"command": "demo.raw", "workDoneToken": []}),
        ("demo/echo", {}),
        ("demo/echo", []),
        ("demo/echo", ["text"]),
        ("demo/echo", 7),
        ("demo/echo", {"text": 5}),
        ("demo/echo", {"text": "", "limit": 51}),
        ("demo/echo", {"text": "", "limit": 1e999}),
        ("demo/echo", {"text": "", "other": 1}),
    ],
)
async def test_bad_parameters_are_answered_with_their_problems(method: str, params: Any) -> None:
    # Faults 1 and 16: the request was never answered, or with -32603.
    async with talking(make()) as client:
        id_ = 99
        client.send_bytes(_frame_with_infinity({"jsonrpc": "2.0", "id": id_, "method": method, "params": params}))
        error = await client.failure(id_)
        assert error.code == -32602
        assert error.data
        assert all(set(problem) == {"loc", "msg", "type"} for problem in error.data)
        assert "pydantic.dev" not in str(error.data)
        assert not [m for m in client.received if m["method"] == "window/showMessage"]


def _frame_with_infinity(message: Any) -> bytes:
    body = json.dumps(message).replace("Infinity", "1e999").encode()
    return b"Content-Length: %d\r\n\r\n%b" % (len(body), body)


async def test_problems_name_the_place_and_hold_no_values() -> None:
    async with talking(make()) as client:
        error = await client.refused("demo/echo", {"text": "x", "limit": "secret", "z" * 1000: 1})
        assert [problem["loc"][0][:5] for problem in error.data] == ["limit", "zzzzz"]
        assert "secret" not in str(error) + str(error.data)
        assert len(error.data[1]["loc"][0]) == 100
        error = await client.refused("demo/strict", {"day": "2026-01-02", "numbers": ["x"] * 100_000})
        assert len(error.data) == 20
        error = await client.refused("textDocument/codeAction", {"textDocument": {"uri": 5}})
        assert error.code == -32601
        error = await client.refused("workspace/symbol", {"query": {"secret": 1}})
        assert error.data == [{"loc": ["query"], "msg": "Input should be a valid string", "type": "value_error"}]


async def test_numbers_are_what_json_says_they_are() -> None:
    structure = converter().structure
    assert structure(3.0, int) == 3
    assert isinstance(structure(3, float), float)
    assert structure(5, types.SymbolKind) is types.SymbolKind.Class
    for value, kind in [(True, int), (1, bool), (1.5, int), ("1", int), (1, str), (None, str), (1e400, int)]:
        with pytest.raises((TypeError, OverflowError)):
            structure(value, kind)


async def test_strict_models_take_what_json_can_say() -> None:
    async with talking(make()) as client:
        sent = {"day": "2026-01-02", "numbers": [1, 2]}
        assert await client.request("demo/strict", sent) == sent


async def test_a_request_cancelled_before_its_first_step_is_answered() -> None:
    async with talking(make()) as client:
        cancel = {"jsonrpc": "2.0", "method": "$/cancelRequest", "params": {"id": "x"}}
        client.send({"jsonrpc": "2.0", "id": "x", "method": "demo/nap"}, cancel, cancel)
        assert (await client.failure("x")).code == -32800


@pytest.mark.parametrize("params", [None, [], {}, {"id": None}, {"id": [1]}, {"id": 12345}])
async def test_a_cancellation_of_nothing_is_no_matter(params: Any) -> None:
    async with talking(make()) as client:
        client.notify("$/cancelRequest", params)
        assert await client.request("demo/raw", {}) == {}


@pytest.mark.parametrize(
    "reply",
    [
        {"error": {"code": -32601, "message": "no"}},
        {"error": "no"},
        {"error": {"code": "x"}},
        {"result": 5},
        {"result": None},
    ],
)
async def test_a_client_that_answers_badly_fails_that_request_only(reply: dict[str, Any]) -> None:
    async with talking(make()) as client:
        client._reply = lambda m: client.send({"jsonrpc": "2.0", "id": m["id"], **reply})  # type: ignore[method-assign]
        error = await client.refused("demo/ask")
        assert (error.code, error.data["code"]) == (-32803, "editorRefused")
        assert await client.request("demo/raw") == {}


async def test_a_good_answer_of_the_client_may_carry_an_error_of_null() -> None:
    async with talking(make()) as client:
        reply = {"result": [{"a": 1}], "error": None}
        client._reply = lambda m: client.send({"jsonrpc": "2.0", "id": m["id"], **reply})  # type: ignore[method-assign]
        assert await client.request("demo/ask") == [{"a": 1}]


async def test_answers_to_what_was_not_asked_are_not_answered() -> None:
    async with talking(make()) as client:
        for id_ in (None, 1, "x", [], {}):
            client.send({"jsonrpc": "2.0", "id": id_, "error": {"code": -32700, "message": "?"}})
            client.send({"jsonrpc": "2.0", "id": id_, "result": 1})
        assert await client.request("demo/raw") == {}
        assert None not in client.answers


async def test_requests_wait_for_initialize_and_end_with_shutdown() -> None:
    async with connected(make()) as client:
        assert (await client.refused("demo/raw")).code == -32002
        client.notify("textDocument/didSave", {"textDocument": {"uri": "file:///a"}})
        assert (await client.refused("initialize", {"capabilities": 5})).code == -32602
        assert (
            await client.refused("initialize", {"capabilities": {}, "rootUri": "http://[", "processId": None})
        ).code == -32602
        assert (await client.refused("demo/raw")).code == -32002
        await client.initialize()
        assert (await client.refused("initialize", {"capabilities": {}})).code == -32600
        client.notify("initialize", {"capabilities": {}})
        client.notify("shutdown")
        assert await client.request("demo/events") == ["initialize", "initialized"]
        await client.request("shutdown")
        assert (await client.refused("demo/raw")).code == -32600
        assert (await client.refused("shutdown")).code == -32600
        client.notify("exit")
        assert await client.ended() == 0


async def test_a_hasty_client_need_not_wait_for_the_answer_to_initialize() -> None:
    async with connected(make()) as client:
        hello = {"jsonrpc": "2.0", "id": "h", "method": "initialize", "params": {"capabilities": {}}}
        client.send(hello, {"jsonrpc": "2.0", "method": "initialized", "params": {}})
        client.send({"jsonrpc": "2.0", "id": "e", "method": "demo/events"})
        assert await client.answer("e") == ["initialize", "initialized"]


@pytest.mark.parametrize(
    ("kind", "code", "data"),
    [
        ("failed", -32803, {"code": "databaseUnavailable", "hint": "Start it."}),
        ("query", -32602, {"code": "badQuery", "hint": "Close it."}),
        ("cancelled", -32802, {"code": "cancelled", "hint": ""}),
        ("on purpose", -32011, {"why": "test"}),
    ],
)
async def test_each_error_of_ours_has_one_code(kind: str, code: int, data: Any) -> None:
    async with talking(make()) as client:
        for error in (
            await client.refused("demo/fail", {"kind": kind}),
            await client.refused("workspace/executeCommand", {"command": "demo.fail", "arguments": [{"kind": kind}]}),
        ):
            assert (error.code, error.data) == (code, data)


async def test_the_unexpected_is_logged_and_not_told(caplog: pytest.LogCaptureFixture) -> None:
    async with talking(make()) as client:
        error = await client.refused("demo/fail", {"kind": "unexpected"})
        assert error.code == -32603
        assert "secret" not in f"{error} {error.data}"
        assert error.data["code"] == "internal"
        [logged] = [record for record in caplog.records if record.exc_info]
        assert error.data["reference"] in logged.getMessage()
        assert error.data["reference"] in error.message


@pytest.mark.parametrize(
    ("body", "code", "id_"),
    [
        (b"", -32700, None),
        (b"{", -32700, None),
        (b'{"id": 1, "method": "\xff"}', -32700, None),
        (b"[" * 100_000, -32700, None),
        (b'{"a":' * 5000 + b"1" + b"}" * 5000, -32700, None),
        (b'"\\ud800' + b"[" * 5000, -32700, None),
        (b'["\\ud800",' + b"[" * 5000 + b"]" * 5001, -32700, None),
        (b'{"id": NaN}', -32700, None),
        (b"9" * 5000, -32700, None),
        (b"[]", -32600, None),
        (b'[{"jsonrpc": "2.0", "id": 1, "method": "demo/raw"}]', -32600, None),
        (b"null", -32600, None),
        (b'"text"', -32600, None),
        (b"{}", -32600, None),
        (b'{"jsonrpc": "2.0"}', -32600, None),
        (b'{"jsonrpc": "1.0", "id": 7, "method": "demo/raw"}', -32600, 7),
        (b'{"id": 7, "method": "demo/raw"}', -32600, 7),
        (b'{"jsonrpc": "2.0", "id": 7, "method": 5}', -32600, 7),
        (b'{"jsonrpc": "2.0", "id": 7}', -32600, 7),
        (b'{"jsonrpc": "2.0", "id": null, "method": "demo/raw"}', -32600, None),
        (b'{"jsonrpc": "2.0", "id": true, "method": "demo/raw"}', -32600, None),
        (b'{"jsonrpc": "2.0", "id": 1.5, "method": "demo/raw"}', -32600, None),
        (b'{"jsonrpc": "2.0", "id": {}, "method": "demo/raw"}', -32600, None),
        (b'{"jsonrpc": "2.0", "id": "", "method": "demo/none"}', -32601, ""),
        (b'{"jsonrpc": "2.0", "id": 7, "method": ""}', -32601, 7),
        (b'{"jsonrpc": "2.0", "id": 7, "method": "textDocument/didSave"}', -32601, 7),
        (b'{"jsonrpc": "2.0", "id": 7, "method": "exit"}', -32601, 7),
        (b'{"jsonrpc": "2.0", "id": 7, "method": "$/cancelRequest"}', -32601, 7),
        (b'{"jsonrpc": "2.0", "id": 7, "method": "window/showMessage"}', -32601, 7),
    ],
)
async def test_what_is_no_request_is_answered_once_and_the_talk_goes_on(body: bytes, code: int, id_: Any) -> None:
    async with talking(make()) as client:
        client.send(body)
        assert (await client.failure(id_)).code == code
        assert await client.request("demo/raw", {"still": "here"}) == {"still": "here"}
        assert client.answers.get(id_, []) == []


async def test_a_second_request_with_the_same_id_is_refused() -> None:
    async with talking(make()) as client:
        message = {"jsonrpc": "2.0", "id": "twin", "method": "demo/nap", "params": {"seconds": 0.05}}
        client.send(message, message)
        assert (await client.failure("twin")).code == -32600
        assert await client.answer("twin") == "slept"
        client.send({**message, "method": "demo/raw"})
        assert await client.answer("twin") == {"seconds": 0.05}


async def test_one_and_the_string_of_one_are_two_ids() -> None:
    async with talking(make()) as client:
        client.send({"jsonrpc": "2.0", "id": 77, "method": "demo/nap", "params": {"seconds": 0.05}})
        client.send({"jsonrpc": "2.0", "id": "77", "method": "demo/raw"})
        assert await client.answer("77") == {}
        assert await client.answer(77) == "slept"


async def test_too_many_requests_at_once_are_refused() -> None:
    async with talking(make()) as client:
        calls = [client.start("demo/nap") for _ in range(CALLS_LIMIT + 1)]
        error = await client.failure(calls[-1])
        assert (error.code, error.data["code"]) == (-32803, "busy")
        client.cancel(calls[0])
        assert (await client.failure(calls[0])).code == -32800
        assert await client.request("demo/raw") == {}


async def test_requests_run_side_by_side_and_are_answered_as_they_end() -> None:
    async with talking(make()) as client:
        slow, fast = client.start("demo/nap", {"seconds": 0.2}), client.start("demo/nap", {"seconds": 0})
        assert [await client.answer(each) for each in (slow, fast)] == ["slept"] * 2
        assert [each for each in client.answers if each in (slow, fast)] == [fast, slow]


async def test_the_client_of_these_tests_reports_errors() -> None:
    async with talking(make()) as client:
        with pytest.raises(RpcError):
            await client.request("demo/none")
        with pytest.raises(AssertionError):
            await client.refused("demo/raw")
