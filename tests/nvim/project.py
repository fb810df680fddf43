"""A project to search, and how an editor is told to search it with the server of this checkout."""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Final

from nvim.editor import Editor

SERVE: Final = [sys.executable, "-m", "sightline", "serve"]
_SHAPE: Final = '''class {name}:
    """A {name} that knows its area and its perimeter, for the drawing program and its printed reports."""

    def area(self):
        """How much paint the {name} takes, in square metres, rounded up to whole tins of five litres each."""
        total = self.width * self.height * {number}
        for hole in self.holes:
            total = total - hole.area()
        return max(total, 0)

    def perimeter(self):
        """How much tape goes around the {name}, holes included, in metres of the broad kind of tape."""
        total = 2 * (self.width + self.height) * {number}
        for hole in self.holes:
            total = total + hole.perimeter()
        return total


'''
FILES: Final = {
    "src/store.py": 'class SessionStore:\n    """Keeps sessions on disk."""\n\n'
    "    def save(self, session):\n        self.path.write_text(session.dump())\n",
    "src/retry.py": "def retry_with_backoff(call, attempts):\n"
    '    """Call again after a failure, waiting longer each time."""\n'
    "    for attempt in range(attempts):\n        try:\n            return call()\n"
    "        except OSError:\n            time.sleep(2 ** attempt)\n",
    "src/schöne namen.py": 'def gruss():\n    größe, ort = "😀 süß", "Zürich"  # unverwechselbar\n    return größe, ort\n',
    "src/wide.py": '"""Poems.\n\n\u3000\u3000zenkaku indented couplet\n"""\n',
    "src/shapes.py": "".join(
        _SHAPE.format(name=name, number=number) for number, name in enumerate(("Square", "Kite", "Star", "Moon"))
    ),
    "web/again.js": "export async function callAgain(call) {\n  while (true) {\n    try { return await call() }\n"
    "    catch (error) { await pause(backoff()) }\n  }\n}\n",
    "tests/test_store.py": "def test_a_saved_session_is_there():\n    assert SessionStore().save(session)\n",
}
Start = Callable[..., AbstractContextManager[Editor]]


def serving(command: list[str] = SERVE, **options: object) -> str:
    """Lua for init.lua: the plugin's options, with a command that runs the server of this checkout."""
    given = "".join(f"options.{name} = {value} " for name, value in options.items())
    words = ", ".join(f"[==[{word}]==]" for word in command)
    return f"local options = {{ cmd = {{ {words} }} }} {given} vim.g.sightline = options"
