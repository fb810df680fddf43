"""A Postgres of the user's own for the workbench's tests: starts one, tells its address, obeys `stop` and `start`."""

from __future__ import annotations

import asyncio
import sys

from adapters.external import installed

if __name__ == "__main__":
    with installed() as server:
        asyncio.run(server.run("create extension vector", database="template1"))
        print(server.url(), flush=True)
        for word in sys.stdin:
            server.stop() if word.strip() == "stop" else server.start()
            print("done", flush=True)
