"""A real Emacs with Eglot, the README's own lines for it, and the real server; $EMACS names the Emacs, else the PATH."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
from pathlib import Path
from typing import Any, Final

import pytest

from nvim.project import FILES
from support import Files, command, environment

README: Final = Path(__file__).resolve().parents[2] / "README.md"
OLDEST: Final = 29
PATIENCE: Final = 600
DRIVER: Final = """
(setq eglot-sync-connect 200)
(defvar root default-directory)
(defvar told nil)
(defun tell (key value) (push (cons key value) told))
(defun shown () (file-name-nondirectory (buffer-file-name (window-buffer))))
(defun listed () (with-current-buffer "*xref*" (buffer-string)))
(defun is-indexed ()
  (let ((status (jsonrpc-request (eglot-current-server) :sightline/status nil)))
    (equal (mapcar (lambda (each) (plist-get each :indexedPercent)) (plist-get status :folders)) '(100))))
(find-file "src/retry.py")
(call-interactively #'eglot)
(with-timeout (200) (while (not (is-indexed)) (accept-process-output nil 0.05)))
(sightline-search "where are sessions kept on disk")
(tell 'search (listed))
(select-window (get-buffer-window "*xref*"))
(goto-char (point-min))
(xref-next-line)
(xref-goto-xref)
(tell 'jumped (shown))
(dolist (asked '((name . "retry_with") (sentence . "keeps sessions on disk")))
  (xref-find-apropos (cdr asked))
  (tell (car asked) (listed)))
(find-file (expand-file-name "src/store.py" root))
(eglot-execute (eglot-current-server) (elt (eglot-code-actions (point-min) (point-max)) 0))
(tell 'similar (shown))
(eglot-shutdown (eglot-current-server))
(princ (json-encode told))
"""


@pytest.fixture(scope="module")
def emacs() -> str:
    """An Emacs that has Eglot."""
    found = shutil.which(os.environ.get("EMACS", "emacs"))
    if found is None:
        pytest.skip("no Emacs here: name one in $EMACS")
    version = subprocess.run([found, "--version"], capture_output=True, text=True, check=True).stdout
    if int(re.findall(r"\d+", version)[0]) < OLDEST:
        pytest.skip(f"Eglot came with Emacs {OLDEST}")
    return found


@pytest.fixture
def project(tmp_path: Path) -> Path:
    root = tmp_path.resolve() / "shop"
    Files(root).write(FILES)
    (root / ".git").mkdir()
    return root


def ran(emacs: str, data_dir: Path, project: Path) -> dict[str, Any]:
    """What Emacs tells after the README's lines and the driver's; `sightline` is on its PATH."""
    home = project.parent
    program = home / "bin" / "sightline"
    Files(home).write({"bin/sightline": f'#!/bin/sh\nexec {shlex.join(command())} "$@"\n', "driver.el": DRIVER})
    program.chmod(0o755)
    [lines] = re.findall(r"^```elisp\n(.*?)^```", README.read_text(), re.MULTILINE | re.DOTALL)
    Files(home).write({"init.el": lines})
    path = f"{program.parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        [emacs, "--batch", "-Q", "-l", home / "init.el", "-l", home / "driver.el"],
        env=environment(data_dir, HOME=str(home), PATH=path),
        cwd=project,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    told: dict[str, Any] = json.loads(done.stdout)
    return told


def test_emacs_finds_sentences_names_and_the_like_by_the_readmes_lines(
    emacs: str, data_dir: Path, project: Path
) -> None:
    told = ran(emacs, data_dir, project)
    assert told["search"].splitlines()[:2] == ["src/store.py", "1:strong SessionStore"]
    assert told["jumped"] == "store.py"
    assert told["name"].splitlines()[:2] == ["src/retry.py", "1:def retry_with_backoff(call, attempts):"]
    assert told["sentence"].splitlines()[:2] == ["src/store.py", "1:class SessionStore:"]
    assert told["similar"] in {Path(name).name for name in FILES} - {"store.py"}
