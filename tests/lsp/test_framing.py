"""Cutting bytes into messages, and giving up a client that does not read."""

from __future__ import annotations

import asyncio
import socket

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sightline.lsp import framing
from sightline.lsp.framing import Framer, FramingError, Outbox

from .support import PATIENCE, frame


def bodies(*pieces: bytes, resync: bool = True) -> list[bytes]:
    framer, found = Framer(resync=resync), []
    for piece in pieces:
        framer.feed(piece)
        while (body := framer.take()) is not None:
            found.append(body)
    return found


@given(st.lists(st.binary(max_size=60), max_size=6), st.lists(st.integers(1, 40), max_size=40), st.booleans())
def test_frames_survive_any_cutting(sent: list[bytes], cuts: list[int], resync: bool) -> None:
    stream, pieces = b"".join(map(frame, sent)), []
    for cut in cuts:
        pieces.append(stream[:cut])
        stream = stream[cut:]
    assert bodies(*pieces, stream, resync=resync) == sent


@pytest.mark.parametrize(
    "header",
    [
        b"Content-Length: 2\r\n\r\n",
        b"content-length:2\r\n\r\n",
        b"CONTENT-LENGTH :  2 \r\n\r\n",
        b"Content-Length: 2\n\n",
        b"Content-Length: 0000000002\r\n\r\n",
        b"Content-Type: application/vscode-jsonrpc; charset=utf-8\r\nContent-Length: 2\r\n\r\n",
        b"Content-Length: 2\r\nContent-Type: application/vscode-jsonrpc\r\n\r\n",
    ],
)
def test_headers_are_read_as_http_reads_them(header: bytes) -> None:
    assert bodies(header + b"{}" + frame(b"[]"), resync=False) == [b"{}", b"[]"]


GARBAGE = {
    "a line": b"Listening on port 1\n",
    "no line end": b"oops",
    "a paragraph": b"one\r\n\r\ntwo\r\n\r\n",
    "no number": b"Content-Length: many\r\n\r\n{}",
    "a negative number": b"Content-Length: -2\r\n\r\n{}",
    "no length": b"Content-Type: text/plain\r\n\r\n{}",
    "another header": b"Host: 127.0.0.1\r\n",
    "a request of the web": b"POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 2\r\n\r\n{}",
    "bytes": bytes(range(256)),
}


@pytest.mark.parametrize("garbage", GARBAGE.values(), ids=GARBAGE)
def test_garbage_is_stepped_over(garbage: bytes) -> None:
    assert bodies(frame(b"1") + garbage + frame(b"2"))[-1] == b"2"


@pytest.mark.parametrize("garbage", GARBAGE.values(), ids=GARBAGE)
def test_garbage_is_an_error_where_a_web_page_could_send_it(garbage: bytes) -> None:
    with pytest.raises(FramingError):
        bodies(garbage + frame(b"2"), resync=False)


def test_a_length_that_is_too_short_costs_no_further_message() -> None:
    assert bodies(b'Content-Length: 3\r\n\r\n{"a": 1}' + frame(b"[2]")) == [b'{"a', b"[2]"]


@pytest.mark.parametrize("excess", range(1, 30))
def test_a_length_that_is_too_long_costs_no_further_message(excess: int) -> None:
    framer = Framer()
    framer.feed(b"Content-Length: %d\r\n\r\n{}" % (2 + excess) + frame(b'{"a": 1}') + frame(b"[2]"))
    swallowed = framer.take()
    assert swallowed
    framer.give_back(swallowed)
    assert [framer.take(), framer.take(), framer.take()] == [b'{"a": 1}', b"[2]", None]


def test_a_broken_body_is_not_searched_on_a_port() -> None:
    framer = Framer(resync=False)
    framer.feed(frame(frame(b"{}")))
    framer.give_back(framer.take() or b"")
    assert framer.take() is None


@pytest.mark.parametrize(
    "endless",
    [
        b"x" * framing.HEADER_LIMIT,
        b"X: " + b"y" * framing.HEADER_LIMIT,
        b"Content-Length: %d\r\n\r\n" % (framing.BODY_LIMIT + 1),
        b"Content-Length: %s\r\n\r\n" % (b"9" * 5000),
    ],
    ids=["garbage", "header", "body", "number"],
)
def test_what_is_too_long_is_an_error(endless: bytes) -> None:
    with pytest.raises(FramingError):
        bodies(endless)


@pytest.mark.asyncio
async def test_the_outbox_gives_up_a_client_that_never_reads() -> None:
    ours, theirs = socket.socketpair()
    _, writer = await asyncio.open_connection(sock=ours)
    outbox = Outbox(writer, limit=1_000_000)
    for _ in range(100):
        outbox.send(b"x" * 50_000)
    assert writer.transport.get_write_buffer_size() <= 1_050_000
    await asyncio.wait_for(outbox.close(), PATIENCE)
    theirs.close()


@pytest.mark.asyncio
async def test_the_outbox_does_not_wait_for_ever_at_the_end() -> None:
    ours, theirs = socket.socketpair()
    _, writer = await asyncio.open_connection(sock=ours)
    outbox = Outbox(writer)
    outbox.send(b"x" * 5_000_000)
    await asyncio.wait_for(outbox.close(grace=0.1), PATIENCE)
    assert outbox.lost.done()
    theirs.close()
