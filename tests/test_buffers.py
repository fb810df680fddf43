"""Unsaved texts: searched as if they were saved, hidden files and all, and gone without a trace when they are closed."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from adapters.servers import eventually, gone
from sightline.adapters import files
from sightline.adapters.analysing import Embedder, Workers
from sightline.adapters.slots import Slots
from sightline.buffers import QUIET_SECONDS, Analyser, Unsaved
from sightline.core.bm25 import Collection, SegmentColumns
from sightline.core.model import Filters
from sightline.core.query import parse
from sightline.searching import Answer, Options, Place, Search
from sightline.workspaces import Workspace, Workspaces
from support import Files, index

SESSION = (
    'class SessionStore:\n    """Keeps sessions on disk."""\n\n    def save(self, session):\n        return session\n'
)
RETRY = "def retry_upload():\n    return retry(upload)\n"
COOKIE = 'class CookieJar:\n    """Keeps cookies."""\n\n    def add(self, cookie):\n        return cookie\n'


class Editor:
    """What an editor has open over a workspace: searches see its texts, and verify against them."""

    def __init__(self, workspace: Workspace) -> None:
        self.workspace = workspace
        self.touched: list[str] = []
        self.texts: dict[str, str] = {}

    async def open(self, texts: Mapping[str, str]) -> None:
        """Opens or edits documents, and waits until they are analysed."""
        self.texts |= texts
        self.workspace.buffers.show(self.texts)
        await self.settled()

    async def close(self, *paths: str) -> None:
        for path in paths:
            self.workspace.buffers.drop(path)
            del self.texts[path]
        await self.settled()

    async def settled(self) -> None:
        while self.workspace.buffers.busy:
            await asyncio.sleep(0.01)

    def read(self, root: Path, path: str, *, wait: bool) -> bytes | None:
        text = self.texts.get(path) if root == self.workspace.checkout.root else None
        return files.current(root, path, wait=wait) if text is None else text.encode("utf-8", "surrogatepass")

    @property
    def lookup(self) -> Search:
        source = replace(self.workspace.source, touch=self.touched.append)
        return Search([source], self.workspace._search._embedder, self.read)

    async def search(self, query: str, **options: Any) -> Answer:
        return await self.lookup.search(parse(query), Options(**options))

    async def paths(self, query: str, **options: Any) -> list[str]:
        return [hit.path for hit in (await self.search(query, **options)).hits]


@pytest.fixture
async def editor(workspace: Workspace) -> AsyncIterator[Editor]:
    yield Editor(workspace)
    await workspace.buffers.close()


# What is searched


async def test_an_unsaved_text_is_found_and_what_it_replaces_is_not(editor: Editor, folder: Files) -> None:
    folder.write({"a.py": SESSION, "b.py": RETRY})
    await index(editor.workspace)
    await editor.open({"a.py": "# one 🙂 line above\n\n" + COOKIE})
    hit = (await editor.search("CookieJar")).hits[0]
    assert (hit.path, hit.symbol, hit.start_line, hit.best_line, hit.verified) == ("a.py", "CookieJar", 0, 2, True)
    assert "a.py" not in await editor.paths("SessionStore", mode="lexical")
    assert editor.touched == []


async def test_closing_without_saving_gives_the_disk_back(editor: Editor, folder: Files) -> None:
    folder.write({"a.py": SESSION, "b.py": RETRY})
    await index(editor.workspace)
    before = await editor.search("session store", limit=50)
    await editor.open({"a.py": COOKIE, "new.py": SESSION, "b.py": ""})
    assert await editor.paths("session store", mode="lexical") == ["new.py"]
    await editor.close("a.py", "new.py", "b.py")
    assert await editor.search("session store", limit=50) == before


async def test_a_document_that_is_the_disks_is_not_analysed(editor: Editor, folder: Files) -> None:
    folder.write({"a.py": SESSION})
    await index(editor.workspace)
    await editor.open({"a.py": SESSION})
    assert editor.workspace.buffers.drafts == ()
    await editor.open({"a.py": COOKIE})
    assert len(editor.workspace.buffers.drafts) == 1
    await editor.open({"a.py": SESSION})  # all undone
    assert editor.workspace.buffers.drafts == ()


async def test_a_save_is_searchable_before_and_after_the_index_has_it(editor: Editor, folder: Files) -> None:
    folder.write({"a.py": SESSION})
    await index(editor.workspace)
    await editor.open({"a.py": COOKIE})
    folder.write({"a.py": COOKIE})
    lagging = await editor.search("CookieJar", explain=True)
    await index(editor.workspace)
    current = await editor.search("CookieJar", explain=True)
    assert lagging.hits[0].path == "a.py"
    assert places(lagging) == places(current)
    editor.workspace.buffers.recheck()
    await editor.settled()
    assert editor.workspace.buffers.drafts == ()


async def test_an_editor_that_keeps_the_old_text_of_a_file_is_searched_as_it_is(editor: Editor, folder: Files) -> None:
    folder.write({"a.py": SESSION})
    await index(editor.workspace)
    await editor.open({"a.py": SESSION})
    folder.write({"a.py": COOKIE})
    await index(editor.workspace)
    editor.workspace.buffers.recheck()
    await editor.settled()
    assert await editor.paths("SessionStore") == ["a.py"]
    assert (await editor.search("CookieJar", mode="lexical")).hits == ()


async def test_rules_and_reasons_leave_unsaved_texts_out_as_they_do_files(editor: Editor, folder: Files) -> None:
    folder.write({".gitignore": "built/\n*.log.py\n", "kept.py": SESSION, "big.py": SESSION, "bin.py": SESSION})
    await index(editor.workspace)
    await editor.open({
        "built/out.py": SESSION, "x.log.py": SESSION, ".env": "SESSION_STORE=1\n", "node_modules/x/session.js": "session",
        "big.py": SESSION + "#" * (1 << 20), "bin.py": "\x00\x01\x02" * 100,
    })  # fmt: skip
    assert await editor.paths("session store", limit=50, mode="lexical") == ["kept.py"]
    assert {each.place[1] for each in editor.workspace.buffers.drafts} == {"big.py", "bin.py"}


async def test_a_file_that_the_index_does_not_have_yet_is_found(editor: Editor, folder: Files) -> None:
    folder.write({"a.py": RETRY})
    await editor.open({"deep/er/new file.py": SESSION})
    assert await editor.paths("SessionStore") == ["deep/er/new file.py"]
    await index(editor.workspace)
    assert await editor.paths("SessionStore", mode="lexical") == ["deep/er/new file.py"]


async def test_every_filter_sees_the_text_as_it_is_now(editor: Editor, folder: Files) -> None:
    folder.write({"src/a.py": SESSION, "src/b.py": SESSION, "web/c.js": "export class SessionStore {}\n"})
    await index(editor.workspace)
    await editor.open(
        {"src/a.py": "def session_store():\n    return 'needle (1) here'\n", "docs/d.md": "# Session store\n"}
    )
    expected = {
        "lang:py": {"src/a.py", "src/b.py"}, "lang:md": {"docs/d.md"}, "-lang:py": {"web/c.js", "docs/d.md"},
        "kind:class": {"src/b.py", "web/c.js"}, "kind:function": {"src/a.py"}, "-kind:class": {"src/a.py", "docs/d.md"},
        "path:src": {"src/a.py", "src/b.py"}, "path:docs": {"docs/d.md"}, "-path:src": {"web/c.js", "docs/d.md"},
        "file:a": {"src/a.py"}, "file:*.md": {"docs/d.md"}, '"needle (1)"': {"src/a.py"}, '"edle (1) he"': {"src/a.py"},
        '"Keeps sessions"': {"src/b.py"}, '-"Keeps sessions"': {"src/a.py", "web/c.js", "docs/d.md"},
        'lang:py "needle" -kind:class path:src file:a': {"src/a.py"},
    }  # fmt: skip
    alone = {query: set(await editor.paths(query, limit=50)) for query in expected}
    with_words = {query: set(await editor.paths(f"{query} session store", limit=50)) for query in expected}
    assert alone == expected
    assert with_words == expected


async def test_similar_code_is_looked_for_in_what_is_unsaved(editor: Editor, folder: Files) -> None:
    folder.write({"a.py": RETRY, "b.py": "x = 1\n"})
    await index(editor.workspace)
    await editor.open({"b.py": SESSION, "c.py": SESSION.replace("Store", "Shelf")})
    place = Place(editor.workspace.checkout.root, "c.py", 0, 4)
    answer = await editor.lookup.similar(editor.texts["c.py"], place, Filters(), Options(limit=1))
    assert [(hit.path, hit.symbol) for hit in answer.hits] == [("b.py", "save")]


async def test_symbols_of_an_unsaved_text_stand_for_those_of_its_file(editor: Editor, folder: Files) -> None:
    folder.write({"a.py": SESSION, "b.py": SESSION})
    await index(editor.workspace)
    await editor.open({"a.py": "\n\n" + COOKIE})

    async def found(typed: str) -> list[tuple[str, str, int, int]]:
        symbols = await editor.lookup.symbols(typed, 20)
        return [(each.name, each.path, each.start_line, each.end_line) for _, each in symbols]

    assert await found("SessionStore") == [("SessionStore", "b.py", 0, 4)]
    assert await found("CookieJar") == [("CookieJar", "a.py", 2, 6)]
    assert await found("cj") == [("CookieJar", "a.py", 2, 6)]
    assert await found("") == [("CookieJar", "a.py", 2, 6), ("SessionStore", "b.py", 0, 4)]
    await editor.close("a.py")
    assert {path for _, path, _, _ in await found("SessionStore")} == {"a.py", "b.py"}


async def test_cuts_among_equals_go_by_path_whatever_is_saved(editor: Editor, folder: Files) -> None:
    folder.write({f"m{number:03}.py": RETRY for number in range(0, 260, 2)})
    await index(editor.workspace)
    await editor.open({f"m{number:03}.py": RETRY for number in range(1, 41, 2)} | {"m002.py": ""})
    expected = ["m000.py", "m001.py", *(f"m{number:03}.py" for number in range(3, 31))]
    for query in ("lang:py", "retry_upload", "kind:function upload"):
        assert await editor.paths(query, limit=30, mode="lexical") == expected, query
    source = editor.workspace.source
    async with source.snapshots.open([editor.workspace.checkout.repository_id], source.embedder_id) as snapshot:
        assert source.unsaved is not None
        over = await source.unsaved.over(snapshot)
        live = over.words.chunk_ids[over.words.live].tolist()
        texts = await over.texts(live)
        assert [texts[each].path for each in await over.first_chunks(live[::-1], 30)] == expected


# When


async def test_the_last_text_wins_however_fast_somebody_types(editor: Editor, folder: Files) -> None:
    folder.write({"a.py": RETRY})
    await index(editor.workspace)
    for count in range(1, 40):
        editor.texts["a.py"] = f"def typed_{count}():\n    pass\n"
        editor.workspace.buffers.set("a.py", editor.texts["a.py"])
        await asyncio.sleep(0.01)
    await editor.settled()
    assert [each.chunks[0].symbol for each in editor.workspace.buffers.drafts] == ["typed_39"]


async def test_a_text_is_found_soon_after_the_last_key(editor: Editor, folder: Files) -> None:
    folder.write({"a.py": RETRY})
    await index(editor.workspace)
    await editor.open({"a.py": SESSION})  # its worker has begun
    took = []
    for count in range(5):
        editor.texts["a.py"] = f"def typed_{count}():\n    pass\n" + SESSION
        editor.workspace.buffers.set("a.py", editor.texts["a.py"])
        started = time.monotonic()
        while not (await editor.search(f"typed_{count}", mode="lexical")).hits:
            await asyncio.sleep(0.005)
        took.append(time.monotonic() - started)
    assert QUIET_SECONDS < min(took) < 3  # 300 ms on a machine that does nothing else


async def test_a_worker_that_has_ended_for_idleness_is_back_in_no_time(tmp_path: Path) -> None:
    workers = Workers(1, Slots(tmp_path / "typing", 1), idle_seconds=0.5)
    analyser, others, took = Analyser(workers, lambda: Embedder("static", "", 1)), set(_children()), []
    try:
        while len(took) < 4:
            result = await analyser.analysed(tmp_path, "a.py", f"x = {len(took)}\n{SESSION}".encode(), files.Rules())
            assert result.words is not None
            workers_now: list[psutil.Process] = []
            with contextlib.suppress(psutil.NoSuchProcess):  # it has ended before we could look
                workers_now = [each for each in set(_children()) - others if each.ppid() != os.getpid()]
                took += [sum(each.cpu_times()[:2]) for each in workers_now]  # the wall's clock counts others' work
            await asyncio.to_thread(eventually, lambda these=workers_now: all(map(gone, these)))
    finally:
        workers.close()
    assert sorted(took[1:])[1] < 0.3 - QUIET_SECONDS


def _children() -> list[psutil.Process]:
    return psutil.Process().children(recursive=True)


async def test_a_document_that_is_closed_while_it_is_analysed_leaves_nothing(editor: Editor, folder: Files) -> None:
    for pause in (0.0, 0.005, 0.02, 0.05):
        editor.workspace.buffers.set("a.py", COOKIE)
        await asyncio.sleep(pause)
        editor.workspace.buffers.drop("a.py")
    await editor.settled()
    await asyncio.sleep(0.3)
    assert (editor.workspace.buffers.drafts, editor.workspace.buffers.busy) == ((), False)


async def test_without_workers_the_index_answers(sightline: Workspaces, editor: Editor, folder: Files) -> None:
    folder.write({"a.py": SESSION})
    await index(editor.workspace)
    sightline._typing.close()
    await editor.open({"a.py": "# moved\n" + SESSION})
    hit = (await editor.search("SessionStore")).hits[0]
    assert (hit.start_line, editor.touched) == (1, ["a.py"])


# Answers stand in the buffer


async def test_between_a_key_and_its_analysis_answers_stand_in_the_text_as_it_is(editor: Editor, folder: Files) -> None:
    folder.write({"a.py": SESSION, "b.py": RETRY})
    await index(editor.workspace)
    await editor.open({"a.py": COOKIE})
    editor.texts["a.py"] = "# above\n" * 3 + COOKIE  # typed, not analysed
    hit = (await editor.search("CookieJar")).hits[0]
    assert (hit.path, hit.start_line) == ("a.py", 3)
    editor.texts["a.py"] = "nothing = 1\n"
    assert "a.py" not in await editor.paths("CookieJar", mode="lexical")
    assert editor.touched == []  # the disk is as the index has it


async def test_the_other_client_does_not_see_what_one_has_open(
    sightline: Workspaces, editor: Editor, folder: Files
) -> None:
    folder.write({"a.py": SESSION})
    await index(editor.workspace)
    await editor.open({"a.py": COOKIE})
    other = Editor(await sightline.open(folder.root))
    assert await other.paths("SessionStore") == ["a.py"]
    assert (await other.search("CookieJar", mode="lexical")).hits == ()


async def test_folders_and_projects_that_are_searched_together_have_each_its_texts(
    sightline: Workspaces, tmp_path: Path
) -> None:
    workspaces = []
    for name in ("one", "two"):
        Files(tmp_path / name).write({"a.py": SESSION, "b.py": RETRY})
        workspaces.append(await sightline.open(tmp_path / name))
        await index(workspaces[-1])
        workspaces[-1].buffers.set("a.py", COOKIE.replace("Cookie", name.title()))
        while workspaces[-1].buffers.busy:
            await asyncio.sleep(0.01)
    texts = {(each.checkout.root, "a.py"): each.buffers.drafts[0].chunks[0].content.encode() for each in workspaces}

    def read(root: Path, path: str, *, wait: bool) -> bytes | None:
        return texts.get((root, path)) or files.current(root, path, wait=wait)

    both = Search([each.source for each in workspaces], sightline.embedder, read)
    answer = await both.search(parse("jar"), Options(mode="lexical"))
    assert {(hit.root.name, hit.symbol) for hit in answer.hits} == {("one", "OneJar"), ("two", "TwoJar")}
    assert {hit.project_id for hit in answer.hits} == {each.project.id for each in workspaces}
    whole = await sightline.project_sources(workspaces[0].project, workspaces)
    answer = await Search(whole, sightline.embedder, read).search(parse("OneJar"), Options(mode="lexical"))
    assert [(hit.root.name, hit.symbol) for hit in answer.hits] == [("one", "OneJar")]
    for each in workspaces:
        await each.buffers.close()


# An unsaved text is as good as a saved one

WORDS = ("session", "store", "retry", "upload", "cookie", "jar", "parse", "config", "token", "user")
QUERIES = (
    "session store", "retry upload", "where are cookies parsed", "token", "kind:function user", "lang:py config",
    '"return token"', "-path:src session", "path:src", "UserToken", "kind:class",
)  # fmt: skip


def some_file(chance: random.Random) -> str:
    parts = []
    for _ in range(chance.randint(0, 4)):
        one, two, three = chance.choice(WORDS), chance.choice(WORDS), chance.choice(WORDS)
        body = "".join(
            f"    {chance.choice(WORDS)} = {one}[{line}]  # 🙂 {two}\n" for line in range(chance.choice((1, 3, 30)))
        )
        if chance.random() < 0.3:
            parts.append(f"class {one.title()}{two.title()}:\n    def {three}(self):\n        return {two}\n")
        else:
            parts.append(f"def {one}_{two}({three}):\n{body}    return {three}\n")
    return "\n\n".join(parts)


def places(answer: Answer) -> list[Any]:
    return [
        (hit.path, hit.start_line, hit.end_line, hit.best_line, hit.symbol, hit.text, hit.label, hit.more)
        for hit in answer.hits
    ]


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(chance=st.randoms(use_true_random=False))
async def test_a_search_with_buffers_is_a_search_over_saved_files(
    compare: Callable[[random.Random], Awaitable[None]], chance: random.Random
) -> None:
    await compare(chance)


@pytest.fixture
async def compare(sightline: Workspaces, tmp_path: Path) -> AsyncIterator[Callable[[random.Random], Awaitable[None]]]:
    """One folder whose last edits are unsaved, and one where they are on the disk."""
    (tmp_path / "saved").mkdir()
    (tmp_path / "edited").mkdir()
    saved, edited = Files(tmp_path / "saved" / "x"), Files(tmp_path / "edited" / "x")
    for each in (saved, edited):
        each.root.mkdir()
    one, other = await sightline.open(saved.root), Editor(await sightline.open(edited.root))
    names = [f"{where}/{word}.py" for where in ("src", "lib") for word in WORDS[:6]]

    async def check(chance: random.Random) -> None:
        texts = {name: some_file(chance) for name in names if chance.random() < 0.8}
        edits = {name: some_file(chance) for name in names if chance.random() < 0.3}
        for each in (saved, edited):
            each.remove(*(str(path.relative_to(each.root)) for path in each.root.rglob("*.py")))
        saved.write(texts | edits)
        edited.write(texts)
        await other.close(*list(other.texts))
        await index(one)
        await index(other.workspace)
        await other.open(edits)
        for query in QUERIES:
            mode = chance.choice(("hybrid", "hybrid", "lexical", "semantic"))
            options = {"mode": mode, "limit": chance.choice((1, 5, 50)), "max_per_file": chance.choice((1, 3))}
            expected = await Search([one.source], sightline.embedder, files.current).search(
                parse(query), Options(**options)
            )
            assert places(await other.search(query, **options)) == places(expected), (query, options)

    yield check
    await other.workspace.buffers.close()


@pytest.mark.parametrize("hidden", [[], [0], [3, 7, 8], list(range(40)), [99]])
def test_a_collection_that_is_overlaid_is_one_that_was_made_of_all(hidden: list[int]) -> None:
    chance = np.random.default_rng(1)

    def segment(first: int, files: range) -> SegmentColumns:
        file_ids = np.repeat(np.array(files, np.int32), 5)
        ids = np.arange(first, first + len(file_ids))
        lengths = chance.integers(0, 300, (6, len(ids))).astype(np.uint16)
        return SegmentColumns(ids, file_ids, ids.astype(np.uint32), lengths)

    below, top = [segment(0, range(30)), segment(500, range(30, 40))], [segment(1 << 47, range(-1, -4, -1))]
    dead = np.array([3, 17, 18, 19, 501], np.int64)
    gone = [each for part in below for each in part.chunk_ids[np.isin(part.file_ids, hidden)].tolist()]
    made = Collection(below, dead).overlaid(top, np.array(hidden, np.int32))
    whole = Collection([*below, *top], np.concatenate([dead, np.array(gone, np.int64)]))
    assert (made.bases, made.count, made.has_dead) == (whole.bases, whole.count, whole.has_dead)
    for name in ("chunk_ids", "file_ids", "kinds", "live"):
        assert np.array_equal(getattr(made, name), getattr(whole, name)), name
    assert np.array_equal(made.chunk_norms[:, made.live], whole.chunk_norms[:, whole.live])
    assert np.array_equal(made.files[made.file_rows], made.file_ids)
    for name in ("file_live", "stem_lengths"):
        own, other = getattr(made, name)[made.file_rows], getattr(whole, name)[whole.file_rows]
        assert np.array_equal(own[made.live], other[whole.live]), name
    norms = made.file_norms[:, made.file_rows[made.live]]
    assert np.array_equal(norms, whole.file_norms[:, whole.file_rows[whole.live]])
    assert made.rows_of(whole.chunk_ids.tolist()) == whole.rows_of(whole.chunk_ids.tolist())


async def test_nothing_is_open_and_nothing_is_changed(workspace: Workspace, folder: Files) -> None:
    folder.write({"a.py": SESSION})
    await index(workspace)
    async with workspace.source.snapshots.open([workspace.checkout.repository_id], workspace.source.embedder_id) as one:
        assert await Unsaved(()).over(one) is one
        assert await Unsaved((workspace.buffers,)).over(one) is one
