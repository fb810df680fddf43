"""Messages that no editor sends, and what becomes of a server that gets ten thousand of them."""

from __future__ import annotations

import contextlib
import json
import random
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from .support import Client, frame

#: Requests of LSP that every server of pygls knows, or does not.
LSP_METHODS = (
    "initialize",
    "workspace/symbol",
    "workspace/executeCommand",
    "textDocument/hover",
    "$/unknown",
    "",
    "😀",
)
NOTICES = (
    "initialized",
    "textDocument/didOpen",
    "textDocument/didChange",
    "textDocument/didClose",
    "textDocument/didSave",
    "notebookDocument/didOpen",
    "workspace/didChangeWorkspaceFolders",
    "workspace/didChangeConfiguration",
    "window/workDoneProgress/cancel",
    "$/cancelRequest",
    "$/setTrace",
    "$/progress",
    "no/such",
)
KEYS = (
    "query",
    "text",
    "uri",
    "textDocument",
    "seconds",
    "kind",
    "command",
    "arguments",
    "workDoneToken",
    "limit",
    "id",
)
KEYS += ("jsonrpc", "method", "params", "class", "type_name", "__class__", "range", "event", "token", "", "x" * 500)
LEAVES = (None, True, False, 0, -1, 1.5, 2**31, 2**63, 10**40, 1e308, "", "file:///a", "http://[", "\x00", "\u2028")
LEAVES += ("../../etc/passwd", "%", "😀", "\ufffd", "initialize", "demo.raw", "unexpected", "surrogate")


class Hostile:
    """A reproducible source of messages; those that go to the server by name go to `methods` as well."""

    def __init__(self, seed: int, methods: Sequence[str]) -> None:
        self.random = random.Random(seed)
        self.methods = (*methods, *methods, *LSP_METHODS)
        self._id = 1_000_000  # the client's own ids are below

    def stream(self, count: int) -> Iterator[tuple[bytes, list[bytes]]]:
        """Pieces of a stream, each with the well-framed bodies in it."""
        kinds: list[Callable[[], bytes]] = [self.request] * 6 + [self.notice, self.command, self.edit] * 2
        kinds += [self.answer, self.no_message, self.broken, self.deep, self.cut, self.flipped]
        for _ in range(count):
            body = self.random.choice(kinds)()
            piece = frame(body)
            if self.random.random() < 0.05:
                piece += self.garbage()
            if self.random.random() < 0.03:
                body, piece = self.wrong_length()
            yield piece, [body]

    def request(self) -> bytes:
        """A request with any parameters."""
        self._id += 1
        message = {"jsonrpc": "2.0", "id": self.random.choice([self._id, f"n{self._id}"])}
        message["method"] = self.random.choice(self.methods)
        return self._with_params(message)

    def notice(self) -> bytes:
        """A notification with any parameters."""
        return self._with_params({"jsonrpc": "2.0", "method": self.random.choice(NOTICES)})

    def command(self) -> bytes:
        """A command with any arguments."""
        self._id += 1
        params = {"command": self.random.choice(self.methods).replace("/", "."), "arguments": [self.value()]}
        params["workDoneToken"] = self.random.choice([1, "t", None, 1.5, [], self._id])
        return json.dumps(
            {"jsonrpc": "2.0", "id": self._id, "method": "workspace/executeCommand", "params": params}
        ).encode()

    def edit(self) -> bytes:
        """Open a document, or edit one at places that it may not have."""
        document = {"uri": self.random.choice(["file:///a", "file:///b"]), "version": 1}
        if self.random.random() < 0.2:
            item = {**document, "languageId": "x", "text": "one\r\ntwo\u2028😀\r" * self.random.randrange(20)}
            method, params = "textDocument/didOpen", {"textDocument": item}
        else:
            start, end = [{"line": self._place(), "character": self._place()} for _ in range(2)]
            change = {"range": {"start": start, "end": end}, "text": self.random.choice(["", "\r", "\n", "😀\r\n"])}
            method, params = "textDocument/didChange", {"textDocument": document, "contentChanges": [change] * 3}
        return json.dumps({"jsonrpc": "2.0", "method": method, "params": params}).encode()

    def _place(self) -> int:
        return self.random.choice([0, 1, 2, 7, 1_000, 2**31 - 1, 2**31, -1])

    def answer(self) -> bytes:
        """An answer to nothing."""
        content = {self.random.choice(["result", "error"]): self.value()}
        return json.dumps({"jsonrpc": "2.0", "id": self.value(1), **content}).encode()

    def no_message(self) -> bytes:
        """Valid JSON that is no message."""
        odd = [{"id": self.value(1), "method": "x"}, {"jsonrpc": "1.0", "id": "old", "method": "x"}, [{"id": 1}], {}]
        odd += [{"jsonrpc": "2.0", "id": [], "method": "x"}, {"jsonrpc": "2.0", "method": 5}, self.value(0)]
        return json.dumps(self.random.choice(odd)).encode()

    def broken(self) -> bytes:
        """A request in broken UTF-8."""
        body = self.request()
        at = self.random.randrange(len(body))
        return body[:at] + self.random.choice([b"\xff", b"\xc0\x80", b"\xed\xa0\x80", b"\xe2\x82"]) + body[at:]

    def deep(self) -> bytes:
        """Nesting no parser should follow."""
        depth = self.random.choice([2_000, 50_000])
        return self.random.choice([b"[" * depth, b'{"a":' * depth + b"1" + b"}" * depth, b"[" * depth + b"]" * depth])

    def cut(self) -> bytes:
        """A request that ends too early."""
        body = self.request()
        return body[: self.random.randrange(len(body))]

    def flipped(self) -> bytes:
        """A request with a few wrong bytes."""
        body = bytearray(self.request())
        for _ in range(self.random.randint(1, 3)):
            body[self.random.randrange(len(body))] = self.random.randrange(256)
        return bytes(body)

    def garbage(self) -> bytes:
        """What is no frame."""
        pieces = [
            b"\r\n\r\n",
            b"a stray print\n",
            b"Content-Length: x\r\n\r\n{}",
            b"Content-Type: y\r\n\r\n",
            bytes(range(200)),
        ]
        return self.random.choice(pieces)

    def wrong_length(self) -> tuple[bytes, bytes]:
        """A body that the header cuts short, so that its rest is garbage."""
        body = b'{"jsonrpc": "2.0", "id": 0, "method": "x"}'
        length = self.random.randrange(len(body))
        return body[:length], b"Content-Length: %d\r\n\r\n%b" % (length, body)

    def value(self, depth: int = 3) -> Any:
        """Any JSON."""
        choice = self.random.random()
        if depth == 0 or choice < 0.4:
            return self.random.choice(LEAVES)
        if choice < 0.42:
            return "x" * self.random.choice([10_000, 200_000])
        if choice < 0.6:
            return [self.value(depth - 1) for _ in range(self.random.randrange(4))]
        return {self.random.choice(KEYS): self.value(depth - 1) for _ in range(self.random.randrange(5))}

    def _with_params(self, message: dict[str, Any]) -> bytes:
        if self.random.random() < 0.9:
            message["params"] = self.value()
        return json.dumps(message, ensure_ascii=self.random.random() < 0.5).encode()


def due(body: bytes) -> list[Any]:
    """The ids to which a body must be answered: one or none, worked out with another parser."""
    try:
        message = json.loads(body.decode(), parse_constant=lambda name: int(name))
    except (ValueError, RecursionError):
        return [None]
    if not isinstance(message, dict):
        return [None]
    if message.get("method") is None and ("result" in message or "error" in message):
        return []
    id_ = message.get("id")
    valid = type(id_) in (int, str)
    if message.get("jsonrpc") != "2.0" or not isinstance(message.get("method"), str) or ("id" in message and not valid):
        return [id_ if valid else None]
    return [id_] if valid else []


async def attack(client: Client, methods: Sequence[str], *, count: int, seed: int, at_once: int = 100) -> None:
    """Send `count` hostile messages to a server that has been greeted; each request must get its one answer."""
    hostile, expected = Hostile(seed, methods), Counter[Any]()
    before = Counter({id_: len(answers) for id_, answers in client.answers.items()})
    stream = list(hostile.stream(count))
    for start in range(0, count, at_once):
        some = stream[start : start + at_once]
        client.send_bytes(b"".join(piece for piece, _ in some))
        ids = [id_ for _, bodies in some for body in bodies for id_ in due(body)]
        expected.update(ids)
        for id_ in filter(None, ids):
            client.cancel(id_)  # some of them sleep
        await client.writer.drain()
        await client.request("demo/raw" if "demo/raw" in methods else "workspace/symbol", {"query": ""})

    def answered() -> Counter[Any]:
        return Counter({id_: len(answers) for id_, answers in client.answers.items() if answers}) - before

    with contextlib.suppress(TimeoutError):
        await client.until(lambda: answered() == expected)
    assert answered() == expected
