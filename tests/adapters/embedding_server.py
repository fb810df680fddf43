"""A real embedding server: Ollama's and OpenAI's dialects over HTTP/1.1 and HTTP/2, with the bundled model's vectors.

It refuses what the real ones refuse, and fails as they fail where it is told to. Run as a script, it serves a benchmark.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import json
import socket
import ssl
import sys
import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import h2.config
import h2.connection
import h2.events
import numpy as np

from sightline.adapters.embedding import bundled

CERTIFICATE = Path(__file__).with_name("localhost.pem")
"""Signed by itself and used nowhere else, so its key is no secret."""
REASONS = {200: "OK"}
PATIENCE = 100.0


@dataclass(frozen=True)
class Fault:
    """What a request gets instead of vectors."""

    kind: str
    status: int = 200
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)
    seconds: float = 0.0


@dataclass(frozen=True)
class Asked:
    """A request as it came."""

    path: str
    headers: dict[str, str]
    body: dict[str, Any]
    version: str
    at: float = field(default_factory=time.monotonic)

    @property
    def texts(self) -> list[str]:
        found = self.body.get("input", [])
        return [found] if isinstance(found, str) else found


class EmbeddingServer:
    """Serves in a thread of its own, so that it answers whatever a test waits for."""

    def __init__(self, *, model: str = "nomic-embed-text", dimensions: int = 768, tls: bool = False) -> None:
        self.model = model
        self.dimensions = dimensions
        self.key = ""
        self.most_tokens = 100_000
        """A text's words; the context of the model."""
        self.most_texts = 100_000
        self.poison = ""
        """A text with this in it makes the server fail."""
        self.delay = 0.0
        self.asked: list[Asked] = []
        self.faults: deque[Fault] = deque()
        self.always: Fault | None = None
        self.most_at_once = self.now = 0
        self._tls = tls
        self._place = socket.socket()
        """Keeps the port while nobody listens: else it might be given to another process."""
        self._place.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        self._place.bind(("127.0.0.1", 0))
        self.port = self._place.getsockname()[1]
        self._loop = asyncio.new_event_loop()
        self._server: asyncio.Server | None = None
        self._connections: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    @property
    def url(self) -> str:
        return f"{'https' if self._tls else 'http'}://127.0.0.1:{self.port}"

    @property
    def texts(self) -> list[str]:
        """Every text that was asked for, again and again where it was."""
        return [text for asked in self.asked for text in asked.texts]

    def fail(self, *faults: Fault) -> None:
        """The next requests get these, one each."""
        self.faults.extend(faults)

    @contextmanager
    def running(self) -> Iterator[EmbeddingServer]:
        self._thread.start()
        self.start()
        try:
            yield self
        finally:
            self.stop()
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(10)
            self._place.close()

    def start(self) -> None:
        """Begins, or begins again on the same port."""
        self._call(self._start())

    def stop(self) -> None:
        """Dies: connections end where they are, and new ones are refused."""
        self._call(self._stop())

    def _call(self, work: Any) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(PATIENCE)

    async def _start(self) -> None:
        context = None
        if self._tls:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(CERTIFICATE)
            context.set_alpn_protocols(["h2", "http/1.1"])
        self._server = await asyncio.start_server(
            self._accept, "127.0.0.1", self.port, ssl=context, limit=1 << 24, reuse_port=True
        )

    async def _stop(self) -> None:
        if self._server is not None:
            self._server.close()
        for task in list(self._tasks):
            task.cancel()
        for writer in list(self._connections):
            writer.transport.abort()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self._connections.add(writer)
        tls = writer.get_extra_info("ssl_object")
        try:
            with suppress(ConnectionError, asyncio.IncompleteReadError):
                if tls is not None and tls.selected_alpn_protocol() == "h2":
                    await _Http2(self, reader, writer).serve()
                else:
                    while await self._serve_one(reader, writer):
                        pass
        except asyncio.CancelledError:
            pass
        finally:
            self._tasks.discard(task)
            self._connections.discard(writer)
            writer.close()

    async def _serve_one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in head[1:] if line)}
        data = await reader.readexactly(int(headers.get("content-length", "0")))
        asked = Asked(head[0].split(" ")[1], headers, json.loads(data or b"{}"), "1.1")
        status, more, answer = await self.answer(asked, writer)
        if status == 0:
            return False
        lines = [
            f"HTTP/1.1 {status} {REASONS.get(status, 'No')}",
            f"content-length: {len(answer)}",
            *(f"{name}: {value}" for name, value in more.items()),
        ]
        writer.write("\r\n".join([*lines, "", ""]).encode("latin-1") + answer)
        await writer.drain()
        return True

    async def answer(self, asked: Asked, writer: asyncio.StreamWriter) -> tuple[int, dict[str, str], bytes]:
        """Status, headers and body; status 0 where the connection has ended."""
        self.asked.append(asked)
        self.now += 1
        self.most_at_once = max(self.most_at_once, self.now)
        try:
            fault = self.faults.popleft() if self.faults else self.always
            if fault is not None:
                return await self._failed(fault, asked, writer)
            await asyncio.sleep(self.delay)
            status, body = self._answered(asked)
            return status, {}, json.dumps(body).encode()
        finally:
            self.now -= 1

    async def _failed(
        self, fault: Fault, asked: Asked, writer: asyncio.StreamWriter
    ) -> tuple[int, dict[str, str], bytes]:
        match fault.kind:
            case "reset":
                writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n{")
                await writer.drain()
                writer.transport.abort()
                return 0, {}, b""
            case "silence":
                await asyncio.sleep(fault.seconds)
                return 0, {}, b""
            case "drip":
                writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n")
                for _ in range(int(fault.seconds / 0.02)):
                    writer.write(b" ")
                    await asyncio.sleep(0.02)
                return 0, {}, b""
            case "endless":
                writer.write(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")
                while True:
                    writer.write(b"10000\r\n" + b" " * 0x10000 + b"\r\n")
                    await writer.drain()
            case "vectors":
                _, body = self._answered(asked)
                return 200, {}, json.dumps(fault.body(body)).encode()
        data = fault.body if isinstance(fault.body, bytes) else json.dumps(fault.body or {}).encode()
        return fault.status, fault.headers, data

    def _answered(self, asked: Asked) -> tuple[int, Any]:
        if self.key and asked.headers.get("authorization") != f"Bearer {self.key}":
            return 401, {
                "error": {"message": f"Incorrect API key provided: {asked.headers.get('authorization', '')[7:]}."}
            }
        path, body = asked.path, asked.body
        if path.endswith("/rerank"):
            return 200, self._reranked(body)
        if body.get("model") != self.model:
            return 404, {"error": f'model "{body.get("model")}" not found, try pulling it first'}
        texts = asked.texts
        if len(texts) > self.most_texts:
            return 413, {"error": f"batch size {len(texts)} > maximum allowed batch size {self.most_texts}"}
        if any(len(text.split()) > self.most_tokens for text in texts):
            return 400, {"error": "the input length exceeds the context length"}
        if any(not text for text in texts):
            return 400, {"error": {"message": "'$.input' is invalid: a text is empty"}}
        if self.poison and any(self.poison in text for text in texts):
            return 500, {"error": "the runner has crashed"}
        rows = self.vectors(texts)
        if path == "/api/embed":
            return 200, {
                "model": self.model,
                "embeddings": rows.tolist(),
                "prompt_eval_count": sum(map(len, texts)) // 3,
            }
        if path == "/v1/embeddings":
            listed = [self._encoded(row, body.get("encoding_format")) for row in rows]
            data = [{"object": "embedding", "index": place, "embedding": row} for place, row in enumerate(listed)]
            return 200, {
                "object": "list",
                "data": data[::-1],
                "model": self.model,
                "usage": {"prompt_tokens": sum(map(len, texts)) // 3},
            }
        return 404, {"error": "404 page not found"}

    def _encoded(self, row: np.ndarray, how: str | None) -> Any:
        return base64.b64encode(row.astype("<f4").tobytes()).decode() if how == "base64" else row.tolist()

    def vectors(self, texts: list[str]) -> np.ndarray:
        """The bundled model's, padded as a larger model's would be; what a query's prefix says is heeded."""
        model = bundled()
        rows = [
            model.embed_query(text.removeprefix("search_query: ")) if text.startswith("search_query: ")
            else model.embed_passage(text.removeprefix("search_document: "))
            for text in texts
        ]  # fmt: skip
        found = np.array(rows, np.float32)
        found[~found.any(axis=1), 0] = 1  # a model with biases has a vector for anything
        wide = np.zeros((len(texts), max(self.dimensions, found.shape[1])), np.float32)
        wide[:, : found.shape[1]] = found
        return np.round(wide[:, : self.dimensions], 6)

    def _reranked(self, body: dict[str, Any]) -> Any:
        model = bundled()
        query = model.embed_query(body["query"])
        texts = body.get("texts", body.get("documents"))
        scores = [float(query @ model.embed_passage(text)) for text in texts]
        order = sorted(range(len(texts)), key=lambda place: -scores[place])
        if "texts" in body:
            return [{"index": place, "score": scores[place]} for place in order]
        return {
            "model": body.get("model"),
            "results": [{"index": place, "relevance_score": scores[place]} for place in order],
        }


class _Http2:
    """One connection of HTTP/2; its requests are answered beside each other."""

    def __init__(self, server: EmbeddingServer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._server, self._reader, self._writer = server, reader, writer
        self._wire = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False))
        self._heads: dict[int, dict[str, str]] = {}
        self._bodies: dict[int, bytearray] = {}
        self._room = asyncio.Condition()
        self._answers: set[asyncio.Task[None]] = set()

    async def serve(self) -> None:
        self._wire.initiate_connection()
        await self._flush()
        while data := await self._reader.read(1 << 16):
            for event in self._wire.receive_data(data):
                if isinstance(event, h2.events.RequestReceived):
                    self._heads[event.stream_id] = {_text(name): _text(value) for name, value in event.headers}
                    self._bodies[event.stream_id] = bytearray()
                elif isinstance(event, h2.events.DataReceived):
                    self._bodies[event.stream_id] += event.data
                    self._wire.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
                elif isinstance(event, h2.events.StreamEnded):
                    task = asyncio.create_task(self._answer(event.stream_id))
                    self._answers.add(task)
                    task.add_done_callback(self._answers.discard)
                elif isinstance(event, h2.events.WindowUpdated):
                    async with self._room:
                        self._room.notify_all()
            await self._flush()

    async def _answer(self, stream: int) -> None:
        head = self._heads.pop(stream)
        asked = Asked(head[":path"], head, json.loads(self._bodies.pop(stream) or b"{}"), "2")
        status, more, data = await self._server.answer(asked, self._writer)
        self._wire.send_headers(stream, [(":status", str(status)), *more.items()])
        while data:
            async with self._room:
                while not (
                    room := min(self._wire.local_flow_control_window(stream), self._wire.max_outbound_frame_size)
                ):
                    await self._room.wait()
            self._wire.send_data(stream, data[:room])
            data = data[room:]
            await self._flush()
        self._wire.end_stream(stream)
        await self._flush()

    async def _flush(self) -> None:
        self._writer.write(self._wire.data_to_send())
        await self._writer.drain()


def _text(value: bytes | str) -> str:
    return value.decode() if isinstance(value, bytes) else value


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dimensions", type=int, default=768)
    parser.add_argument("--model", default="nomic-embed-text")
    arguments = parser.parse_args()
    with EmbeddingServer(model=arguments.model, dimensions=arguments.dimensions).running() as server:
        sys.stdout.write(f"{server.port}\n")
        sys.stdout.flush()
        with suppress(KeyboardInterrupt):
            while True:
                time.sleep(3_600)


if __name__ == "__main__":
    main()
