"""A model of one's own: vectors that come later, servers that fail, models that change, and searches meanwhile."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from adapters.embedding_server import PATIENCE, EmbeddingServer, Fault
from sightline.adapters import choosing
from sightline.adapters.embedders import Embedders
from sightline.adapters.files import current
from sightline.adapters.patience import Patience
from sightline.core.query import parse
from sightline.errors import EmbedderError, EmbedderUnavailable, SettingsError
from sightline.jobs import State
from sightline.searching import Answer, Options, Place, Search
from sightline.settings import EmbeddingSettings, SearchSettings, Settings
from sightline.workspaces import Workspace, Workspaces
from support import Files, content_of, index, paths_of, run, search

QUICK = Patience(attempts=2, first=0.01, most=0.1, jitter=0.01, failures=4, rest=0.05, most_rest=0.1)
CODE = {
    "net/upload.py": "def retry_failed():\n    '''Sends again what the server refused.'''\n    for each in failed: send(each)\n",
    "store/session.py": "class Jar:\n    def keep(self, cookie):\n        '''Persists the cookie of a visitor.'''\n        self.rows.append(cookie)\n",
    "ui/colour.py": "def darker(colour):\n    '''Shades a colour for the night theme.'''\n    return colour * 0.8\n",
}
QUESTION = "persist visitor cookies"


@pytest.fixture
def server() -> Iterator[EmbeddingServer]:
    with EmbeddingServer().running() as running:
        yield running


@asynccontextmanager
async def opened(
    data_dir: Path, deadline: int = 60_000, patience: Patience = QUICK, **embedding: Any
) -> AsyncIterator[Workspaces]:
    """The application with a model of one's own, and less patience."""
    settings = Settings(
        data_dir=data_dir, embedding=EmbeddingSettings(**embedding), search=SearchSettings(deadline_ms=deadline)
    )
    async with Workspaces.started(settings, data_dir) as workspaces:
        workspaces.embedder.patience = patience
        yield workspaces


@pytest.fixture
async def remote(data_dir: Path, server: EmbeddingServer) -> AsyncIterator[Workspaces]:
    async with opened(data_dir, provider="ollama", url=server.url, batch_size=4) as workspaces:
        yield workspaces


def many(count: int) -> dict[str, str]:
    return {
        f"many/part_{number}.py": f"def part_{number}(value):\n    return value + {number}\n" for number in range(count)
    }


async def vectors_of(workspace: Workspace, name: str) -> dict[str, list[float]]:
    """Path to the stored vector of its first chunk, of one model."""
    rows = await (await workspace.store.pool()).fetch(
        "select f.relative_path, e.embedding::text from embeddings e join embedders m on m.id = e.embedder_id"
        " join code_chunks c on c.id = e.chunk_id join code_files f on f.id = c.code_file_id"
        " where m.name = $1 and f.repository_id = $2 order by c.start_byte desc", name, workspace.checkout.repository_id,
    )  # fmt: skip
    return {row[0]: json.loads(row[1]) for row in rows}


async def state_of(workspace: Workspace) -> Any:
    """The whole index; vectors as numbers that may differ by what half precision and halved batches cost."""
    content = await content_of(workspace)
    return content["files"], [each[:-1] for each in content["chunks"]], content["words"], content["signs"].keys()


OLLAMA = "ollama:nomic-embed-text"


async def test_a_servers_vectors_are_stored_and_searched(
    remote: Workspaces, server: EmbeddingServer, folder: Files
) -> None:
    folder.write(CODE)
    workspace = await remote.open(folder.root)
    summary = await index(workspace)
    assert summary.files_indexed == 3
    answer = await search(workspace, QUESTION, explain=True)
    assert answer.hits[0].path == "store/session.py"
    assert answer.hits[0].signals["cosine"] > 0
    assert (answer.mode, answer.complete, answer.lacks) == ("hybrid", True, ())
    text = f"store/session.py\nJar keep\n{CODE['store/session.py']}"
    assert f"search_document: {text}" in server.texts
    assert f"search_query: {QUESTION}" in server.texts
    stored = (await vectors_of(workspace, OLLAMA))["store/session.py"]
    assert np.allclose(stored, server.vectors([text])[0], atol=2e-3)
    job = (await workspace.store.jobs(workspace.checkout.repository_id))[0]
    assert (job["state"], job["pending_vectors"]) == ("completed", 0)
    asked = len(server.asked)
    await index(workspace)
    assert await paths_of(workspace, QUESTION) == [each.path for each in answer.hits]
    assert len(server.asked) == asked


async def test_words_are_found_while_the_server_is_down_and_vectors_once_it_is_back(
    remote: Workspaces, server: EmbeddingServer, folder: Files
) -> None:
    folder.write(CODE)
    server.stop()
    workspace = await remote.open(folder.root)
    with pytest.raises(EmbedderUnavailable, match="does not answer"):
        await workspace.index(lambda step: None, seconds=0.2)
    answer = await search(workspace, "persists cookie")
    assert [each.path for each in answer.hits] == ["store/session.py"]
    assert answer.mode == "lexical"
    assert not answer.complete
    assert [each.code for each in answer.lacks] == ["embedderUnavailable", "vectorsPending"]
    assert "3 chunks wait for vectors" in answer.lacks[1].message
    assert (await search(workspace, "cookie", mode="semantic")).hits
    job = (await workspace.store.jobs(workspace.checkout.repository_id))[0]
    assert (job["state"], job["pending_vectors"]) == ("failed", 3)
    assert "does not answer" in job["error"]
    server.start()
    await index(workspace)
    answer = await search(workspace, QUESTION)
    assert (answer.hits[0].path, answer.mode, answer.complete, answer.lacks) == ("store/session.py", "hybrid", True, ())


async def test_a_folder_that_met_a_dead_server_first_is_whole_with_the_bundled_model_at_its_next_search(
    data_dir: Path, server: EmbeddingServer, folder: Files
) -> None:
    folder.write(CODE)
    server.stop()
    async with opened(data_dir, provider="ollama", url=server.url) as workspaces:
        workspace = await workspaces.open(folder.root)
        await workspace.refresh(lambda step: None)
        assert not (await search(workspace, QUESTION)).complete
    async with opened(data_dir) as workspaces:
        workspace = await workspaces.open(folder.root)
        assert await workspace.models() == {"serving": OLLAMA, "building": "sightline-static"}
        async with asyncio.timeout(PATIENCE):
            while not (answer := await search(workspace, QUESTION)).complete:
                await workspace.refresh(lambda step: None)  # which lets nobody wait for long
        assert (answer.hits[0].path, answer.mode) == ("store/session.py", "hybrid")
        assert (await workspace.models())["serving"] == "sightline-static"


async def test_a_server_that_dies_while_it_indexes_leaves_no_trace(
    remote: Workspaces, server: EmbeddingServer, folder: Files, tmp_path: Path
) -> None:
    folder.write(CODE | many(400))
    workspace = await remote.open(folder.root)
    server.delay = 0.002
    await dying(server, asyncio.create_task(index(workspace)))
    assert (await search(workspace, QUESTION)).complete
    twin = Files(tmp_path / "twin")
    twin.write(CODE | many(400))
    other = await remote.open(twin.root)
    await index(other)
    assert await state_of(workspace) == await state_of(other)
    ours, theirs = await vectors_of(workspace, OLLAMA), await vectors_of(other, OLLAMA)
    assert ours.keys() == theirs.keys()
    for path, vector in ours.items():
        assert np.allclose(vector, theirs[path], atol=2e-3)
    assert server.most_at_once <= 8


async def test_a_server_that_dies_while_a_model_changes_leaves_no_trace(
    data_dir: Path, server: EmbeddingServer, folder: Files, tmp_path: Path
) -> None:
    twin = Files(tmp_path / "twin")
    async with opened(data_dir) as workspaces:
        for each in (folder, twin):
            each.write(CODE | many(400))
            await index(await workspaces.open(each.root))
    async with opened(data_dir, provider="ollama", url=server.url, batch_size=4) as workspaces:
        workspace, undisturbed = await workspaces.open(folder.root), await workspaces.open(twin.root)
        await index(undisturbed)
        server.delay = 0.002
        found = await dying(server, asyncio.create_task(index(workspace)), workspace)
        answers = {(each.hits[0].path, each.mode, each.complete, each.lacks) for each in found}
        assert answers == {("store/session.py", "hybrid", True, ())}
        assert await state_of(workspace) == await state_of(undisturbed)
        assert await workspace.models() == {"serving": OLLAMA, "former": "sightline-static"}
        for name in (OLLAMA, "sightline-static"):
            ours, theirs = await vectors_of(workspace, name), await vectors_of(undisturbed, name)
            assert ours.keys() == theirs.keys()
            assert all(np.allclose(vector, theirs[path], atol=2e-3) for path, vector in ours.items())
        assert await paths_of(workspace, QUESTION) == await paths_of(undisturbed, QUESTION)


async def dying(
    server: EmbeddingServer, indexing: asyncio.Task[Any], workspace: Workspace | None = None
) -> list[Answer]:
    """Ends the server three times while it is asked for vectors; what searches find while it is down."""
    found = []
    for _ in range(3):
        before = len(server.asked)
        while len(server.asked) < before + 10 and not indexing.done():
            await asyncio.sleep(0.01)
        assert not indexing.done()
        server.stop()
        if workspace is not None:
            found.append(await search(workspace, QUESTION))
        await asyncio.sleep(0.1)
        server.start()
    await asyncio.wait_for(indexing, 3 * PATIENCE)
    return found


async def test_a_server_that_dies_over_a_query_leaves_the_answer_to_words(
    remote: Workspaces, data_dir: Path, server: EmbeddingServer, folder: Files
) -> None:
    folder.write(CODE)
    workspace = await remote.open(folder.root)
    await index(workspace)
    server.delay = 600
    asking = asyncio.create_task(search(workspace, QUESTION))
    while not server.now:
        await asyncio.sleep(0.01)
    server.stop()
    answer = await asyncio.wait_for(asking, PATIENCE)
    assert (answer.hits[0].path, answer.mode) == ("store/session.py", "lexical")
    assert [each.code for each in answer.lacks] == ["embedderUnavailable"]
    server.delay = 0
    server.start()
    remote.embedder.remote(remote.embedder.kind, remote.embedder.identity).breaker.forget()
    after = await search(workspace, QUESTION)
    async with opened(data_dir, provider="ollama", url=server.url) as undisturbed:
        assert after == await search(await undisturbed.open(folder.root), QUESTION)
    assert (after.mode, after.complete, after.lacks) == ("hybrid", True, ())


async def test_a_text_that_comes_back_is_not_embedded_again(
    remote: Workspaces, server: EmbeddingServer, folder: Files
) -> None:
    folder.write(CODE)
    workspace = await remote.open(folder.root)
    await index(workspace)
    before = len(server.asked)
    folder.remove("ui/colour.py")
    await index(workspace)
    folder.write(CODE)
    await index(workspace)
    assert len(server.asked) == before
    assert "ui/colour.py" in await vectors_of(workspace, OLLAMA)


async def test_a_search_waits_no_longer_than_its_deadline(
    data_dir: Path, server: EmbeddingServer, folder: Files
) -> None:
    folder.write(CODE)
    async with opened(data_dir, 150, provider="ollama", url=server.url) as workspaces:
        workspace = await workspaces.open(folder.root)
        await index(workspace)
        server.delay = 3
        answer = await search(workspace, "cookie visitor")
        assert (answer.hits[0].path, answer.mode, answer.complete) == ("store/session.py", "lexical", True)
        assert [each.code for each in answer.lacks] == ["deadline"]
        while (await search(workspace, "cookie visitor")).mode != "hybrid":
            await asyncio.sleep(0.05)
    async with opened(data_dir, provider="ollama", url=server.url) as workspaces:
        workspace = await workspaces.open(folder.root)
        server.delay = 0.0
        server.always = Fault("status", 500, {"error": "oops"})
        assert [each.code for each in (await search(workspace, "another question")).lacks] == ["embedderUnavailable"]


async def test_one_text_that_cannot_be_embedded_is_told_and_keeps_no_other_back(
    remote: Workspaces, server: EmbeddingServer, folder: Files
) -> None:
    folder.write(CODE)
    server.poison = "darker"
    workspace = await remote.open(folder.root)
    with pytest.raises(EmbedderError, match=r"chunks of 1 file have no vector \(ui/colour.py: .*crashed"):
        await index(workspace)
    assert set(await vectors_of(workspace, OLLAMA)) == {"net/upload.py", "store/session.py"}
    assert (await paths_of(workspace, "darker colour"))[0] == "ui/colour.py"
    server.poison = ""
    await index(workspace)
    assert len(await vectors_of(workspace, OLLAMA)) == 3


async def test_a_new_model_is_built_beside_the_old_and_can_be_rolled_back(
    data_dir: Path, server: EmbeddingServer, folder: Files
) -> None:
    folder.write(CODE)
    async with opened(data_dir) as before:
        workspace = await before.open(folder.root)
        await index(workspace)
        static = await vectors_of(workspace, "sightline-static")
        fresh = await content_of(workspace)
    server.stop()
    async with opened(data_dir, provider="ollama", url=server.url) as workspaces:
        workspace = await workspaces.open(folder.root)
        with pytest.raises(EmbedderUnavailable):
            await workspace.index(lambda step: None, seconds=0.1)
        answer = await search(workspace, QUESTION)  # the old model serves
        assert (answer.hits[0].path, answer.mode, answer.complete, answer.lacks) == (
            "store/session.py",
            "hybrid",
            True,
            (),
        )
        assert not await vectors_of(workspace, OLLAMA)
        server.start()
        await index(workspace)
        assert await choosing.models(workspace.store, workspace.checkout.repository_id) == {
            "serving": OLLAMA, "former": "sightline-static",
        }  # fmt: skip
        assert (await search(workspace, QUESTION)).mode == "hybrid"
        assert f"search_query: {QUESTION}" in server.texts
        assert await vectors_of(workspace, "sightline-static") == static
        folder.write({"new.py": "def later(): pass\n"})
        await index(workspace)
        assert "new.py" not in await vectors_of(workspace, "sightline-static")
        folder.remove("new.py")
        await index(workspace)

        await workspace.roll_back()
        asked = len(server.asked)
        answer = await search(workspace, QUESTION)
        assert (answer.hits[0].path, answer.mode, answer.complete) == ("store/session.py", "hybrid", True)
        folder.write({"new.py": "def later(): pass\n"})
        await index(workspace)
        assert len(server.asked) == asked
        assert "new.py" in await vectors_of(workspace, "sightline-static")
        folder.remove("new.py")
        await index(workspace)
    async with opened(data_dir, provider="ollama", url=server.url) as workspaces:  # it stays rolled back
        workspace = await workspaces.open(folder.root)
        await index(workspace)
        assert len(server.asked) == asked
        await workspace.roll_back()
        await index(workspace)
        assert (await choosing.models(workspace.store, workspace.checkout.repository_id))["serving"] == OLLAMA
    async with opened(data_dir) as after:  # back to the old one for good
        workspace = await after.open(folder.root)
        await index(workspace)
        assert await vectors_of(workspace, "sightline-static") == static
        pool = await workspace.store.pool()
        await pool.execute(
            "delete from embeddings e using embedders m where m.id = e.embedder_id and m.name like 'ollama%'"
        )
        await pool.execute(
            "delete from vector_segments s using embedders m where m.id = s.embedder_id and m.name like 'ollama%'"
        )
        assert await content_of(workspace) == fresh


async def test_what_is_missing_of_a_local_model_is_made_of_the_files(
    data_dir: Path, server: EmbeddingServer, folder: Files, tmp_path: Path
) -> None:
    folder.write(CODE)
    async with opened(data_dir, provider="ollama", url=server.url) as workspaces:
        workspace = await workspaces.open(folder.root)
        await index(workspace)
    async with opened(data_dir) as workspaces:
        twin = Files(tmp_path / "twin")
        twin.write(CODE)
        other = await workspaces.open(twin.root)
        await index(other)
        workspace = await workspaces.open(folder.root)
        folder.write({"ui/colour.py": "def lighter(): pass\n"})
        summary = await index(workspace)
        assert summary.files_indexed == 1
        folder.write(CODE)
        await index(workspace)
        assert await vectors_of(workspace, "sightline-static") == await vectors_of(other, "sightline-static")


async def test_a_third_model_drops_the_first(data_dir: Path, server: EmbeddingServer, folder: Files) -> None:
    folder.write(CODE)
    async with opened(data_dir) as workspaces:
        await index(await workspaces.open(folder.root))
    for dimensions in (256, 128):
        async with opened(data_dir, provider="ollama", url=server.url, dimensions=dimensions) as workspaces:
            workspace = await workspaces.open(folder.root)
            await index(workspace)
            assert (await search(workspace, QUESTION)).hits[0].path == "store/session.py"
    async with opened(data_dir, provider="ollama", url=server.url, dimensions=128) as workspaces:
        workspace = await workspaces.open(folder.root)
        sizes = await (await workspace.store.pool()).fetch(
            "select m.dimensions, count(*) from embeddings e join embedders m on m.id = e.embedder_id group by 1 order by 1"
        )
        assert [tuple(row) for row in sizes] == [(128, 3), (256, 3)]


async def test_a_former_model_is_kept_for_a_week(data_dir: Path, server: EmbeddingServer, folder: Files) -> None:
    folder.write(CODE)
    async with opened(data_dir) as workspaces:
        await index(await workspaces.open(folder.root))
    async with opened(data_dir, provider="ollama", url=server.url) as workspaces:
        workspace = await workspaces.open(folder.root)
        await index(workspace)
        pool = await workspace.store.pool()
        for days, kept in ((6, 3), (8, 0)):
            await pool.execute("update repositories set embedder_changed_at = now() - make_interval(days => $1)", days)
            await index(workspace)
            assert len(await vectors_of(workspace, "sightline-static")) == kept
        assert "former" not in await workspace.models()
        with pytest.raises(SettingsError):
            await workspace.roll_back()


async def test_a_change_that_is_not_complete_is_given_up(
    data_dir: Path, server: EmbeddingServer, folder: Files
) -> None:
    folder.write(CODE)
    async with opened(data_dir) as workspaces:
        workspace = await workspaces.open(folder.root)
        await index(workspace)
        with pytest.raises(SettingsError, match="no other model"):
            await workspace.roll_back()
    server.stop()
    async with opened(data_dir, provider="ollama", url=server.url) as workspaces:
        workspace = await workspaces.open(folder.root)
        with pytest.raises(EmbedderUnavailable):
            await workspace.index(lambda step: None, seconds=0.1)
        await workspace.roll_back()
        await index(workspace)
        assert (await search(workspace, QUESTION)).mode == "hybrid"


async def test_a_server_that_keeps_an_index_goes_on_by_itself(
    remote: Workspaces, server: EmbeddingServer, folder: Files
) -> None:
    folder.write(CODE)
    server.stop()
    workspace = await remote.open(folder.root)
    told: list[State] = []
    keeping = asyncio.create_task(workspace.indexer.keep(lambda step: None, told.append))

    async def until(pending: int) -> Answer:
        while True:
            answer = await search(workspace, "cookie retry colour later")
            said = {each.code: each.message for each in answer.lacks}.get("vectorsPending", "0 chunks")
            if answer.hits and said.startswith(f"{pending} chunks"):
                return answer
            await asyncio.sleep(0.02)

    async def job(field: str, value: str) -> None:
        while (await workspace.store.jobs(workspace.checkout.repository_id))[0][field] != value:
            await asyncio.sleep(0.02)

    await asyncio.wait_for(until(3), PATIENCE)
    await asyncio.wait_for(job("phase", "embedding"), PATIENCE)
    assert workspace.indexer.filler.stop()
    await asyncio.wait_for(job("state", "cancelled"), PATIENCE)
    while workspace.indexer.filler.stop():  # its row says so a moment before it is forgotten here
        await asyncio.sleep(0.02)
    workspace.indexer.touch()
    folder.write({"new.py": "def later(): pass\n"})
    workspace.indexer.touch(["new.py"])
    answer = await asyncio.wait_for(until(4), PATIENCE)
    assert answer.mode == "lexical"
    assert (await workspace.store.jobs(workspace.checkout.repository_id))[0]["state"] == "running"
    while workspace.indexer.filler.pending != 4:
        await asyncio.sleep(0.02)
    server.start()
    await asyncio.wait_for(until(0), PATIENCE)
    await asyncio.wait_for(job("state", "completed"), PATIENCE)
    assert len(await vectors_of(workspace, OLLAMA)) == 4
    keeping.cancel()
    await asyncio.gather(keeping, return_exceptions=True)


@pytest.fixture
async def other(data_dir: Path, folder: Files, tmp_path: Path) -> Files:
    """A copy, told apart by its paths, of a folder that was indexed with the bundled model."""
    folder.write(CODE)
    async with opened(data_dir) as workspaces:
        await index(await workspaces.open(folder.root))
    copy = Files(tmp_path / "other")
    copy.write({f"copy/{path}": text for path, text in CODE.items()})
    return copy


async def test_folders_of_different_models_are_interleaved_by_rank(
    data_dir: Path, server: EmbeddingServer, folder: Files, other: Files
) -> None:
    async with opened(data_dir, provider="ollama", url=server.url) as workspaces:
        second = await workspaces.open(other.root)
        await index(second)
        server.stop()
        first = await workspaces.open(folder.root)
        with pytest.raises(EmbedderUnavailable):
            await first.index(lambda step: None, seconds=0.1)
        server.start()
        model = workspaces.embedder.remote(workspaces.embedder.kind, workspaces.embedder.identity)
        while model.breaker.seconds_left:
            await asyncio.sleep(0.02)
        both = Search([first.source, second.source], workspaces.embedder, current)
        answer = await both.search(parse(QUESTION), Options(limit=3))
        assert [each.path for each in answer.hits[:2]] == ["store/session.py", "copy/store/session.py"]
        assert len(answer.hits) == 3
        assert answer.mode == "hybrid"
        alike = await both.similar(
            CODE["store/session.py"], Place(folder.root, "store/session.py", 0, 3), parse("").filters, Options()
        )
        assert "copy/store/session.py" in [each.path for each in alike.hits[:2]]


async def test_checkouts_of_one_project_may_have_different_models_and_are_interleaved_too(
    data_dir: Path, server: EmbeddingServer, folder: Files, other: Files
) -> None:
    async with opened(data_dir, provider="ollama", url=server.url) as workspaces:
        first = await workspaces.open(folder.root)
        second = await workspaces.open(other.root, first.project.id)
        await index(second)
        answer = await workspaces.search([first.project], parse(QUESTION), Options(limit=6, explain=True))
        assert (answer.mode, answer.complete, answer.lacks) == ("hybrid", True, ())
        assert [hit.path for hit in answer.hits[:2]] == ["store/session.py", "copy/store/session.py"]
        for each, own in ((first, 0), (second, 1)):  # each has the scores that it has alone
            alone = await search(each, QUESTION, explain=True)
            assert [(hit.path, hit.signals) for hit in answer.hits[own::2]] == [
                (hit.path, hit.signals) for hit in alone.hits
            ]


async def test_a_search_under_way_when_another_model_begins_to_serve_asks_that_one(
    data_dir: Path, server: EmbeddingServer, folder: Files
) -> None:
    folder.write(CODE)
    async with opened(data_dir) as workspaces:
        await index(await workspaces.open(folder.root))
    async with opened(data_dir, provider="ollama", url=server.url) as workspaces:
        reader, writer = await workspaces.open(folder.root), await workspaces.open(folder.root)
        assert (await search(reader, QUESTION)).mode == "hybrid"
        assert not server.texts
        await index(writer)
        answer = await search(reader, QUESTION)
        assert (answer.hits[0].path, answer.mode) == ("store/session.py", "hybrid")
        assert f"search_query: {QUESTION}" in server.texts


async def test_what_would_cost_much_waits_for_somebody_to_agree(
    data_dir: Path, server: EmbeddingServer, folder: Files
) -> None:
    folder.write(CODE)
    paid = {
        "provider": "openai",
        "url": server.url,
        "model": server.model,
        "confirm_above": 0,
        "dollars_per_million_tokens": 1_000,
    }
    async with opened(data_dir, **paid) as workspaces:
        workspace = await workspaces.open(folder.root)
        with pytest.raises(
            SettingsError, match=r"embedding 3 chunks with nomic-embed-text costs about \$0\.\d\d"
        ) as caught:
            await index(workspace)
        assert "--yes" in caught.value.hint
        assert not server.asked
        assert await paths_of(workspace, "cookie") == ["store/session.py"]
        server.asked.clear()
        await workspace.allow()
        await index(workspace)
        assert len(await vectors_of(workspace, f"openai:{server.model}")) == 3


async def test_what_is_typed_has_words_only_and_is_found(
    remote: Workspaces, server: EmbeddingServer, folder: Files
) -> None:
    folder.write(CODE)
    workspace = await remote.open(folder.root)
    await index(workspace)
    workspace.buffers.set("ui/colour.py", "def brighter(): return 'sunrise'\n")
    while workspace.buffers.busy or not workspace.buffers.drafts:
        await asyncio.sleep(0.02)
    typed = b"def brighter(): return 'sunrise'\n"

    def read(root: Path, path: str, *, wait: bool) -> bytes | None:
        return typed if path == "ui/colour.py" else current(root, path, wait=wait)

    shown = Search([workspace.source], remote.embedder, read)
    answer = await shown.search(parse("sunrise brighter"), Options())
    assert (answer.hits[0].path, answer.complete, answer.lacks) == ("ui/colour.py", True, ())
    await workspace.buffers.close()


@pytest.mark.parametrize("path", ["", "/v1", "/v1/rerank", "/rerank"])
async def test_a_second_server_may_reorder_the_best_hits(
    data_dir: Path, server: EmbeddingServer, folder: Files, path: str
) -> None:
    folder.write(CODE | many(60))
    async with opened(data_dir, 1_500, rerank_url=f"{server.url}{path}", rerank_model="bge-reranker") as workspaces:
        workspace = await workspaces.open(folder.root)
        await index(workspace)
        answer = await search(workspace, "darker night theme", limit=3)
        asked = server.asked[0]
        texts = asked.body["texts" if path == "/rerank" else "documents"]
        assert len(texts) > 3
        assert (answer.hits[0].path, len(answer.hits), answer.lacks) == ("ui/colour.py", 3, ())
        assert "authorization" not in asked.headers
        for fault, code in (
            (Fault("silence", seconds=9), "deadline"), (Fault("status", 500, {}), "embedderUnavailable"),
            (Fault("status", 200, {"results": []}), "embedderUnavailable"), (Fault("status", 200, [1]), "embedderUnavailable"),
        ):  # fmt: skip
            server.fail(fault)
            answer = await search(workspace, "darker night theme", limit=3)
            assert answer.hits[0].path == "ui/colour.py"
            assert [each.code for each in answer.lacks] == [code]
        server.asked.clear()
        assert (await search(workspace, "colour", mode="lexical")).hits
        assert (await search(workspace, "nothingofthekind", limit=3, mode="semantic")).lacks == ()


async def test_sign_bits_alone_find_what_vectors_find(data_dir: Path, server: EmbeddingServer, folder: Files) -> None:
    folder.write(CODE | many(30))
    async with opened(data_dir, provider="ollama", url=server.url, precision="binary", dimensions=256) as workspaces:
        workspace = await workspaces.open(folder.root)
        await index(workspace)
        pool = await workspace.store.pool()
        assert await pool.fetchval("select count(embedding) from embeddings") == 0
        assert await pool.fetchval("select count(*) from embeddings") == 33
        answer = await search(workspace, QUESTION, mode="semantic", explain=True)
        assert answer.hits[0].path == "store/session.py"
        assert (answer.complete, answer.mode) == (True, "semantic")
        server.asked.clear()
    async with opened(data_dir, provider="ollama", url=server.url, dimensions=256) as workspaces:
        workspace = await workspaces.open(folder.root)
        await index(workspace)
        assert await (await workspace.store.pool()).fetchval("select count(embedding) from embeddings") == 33
        assert (await search(workspace, QUESTION)).hits[0].path == "store/session.py"
        assert not [text for text in server.texts if "document" in text], "whole vectors are remembered"


async def test_a_dry_run_tells_what_would_be_read_and_spent(
    data_dir: Path, server: EmbeddingServer, folder: Files
) -> None:
    folder.write(CODE | many(40) | {".env": "KEY=1"})
    paid = {
        "provider": "openai",
        "url": server.url,
        "model": server.model,
        "dollars_per_million_tokens": 100,
        "confirm_above": 0.001,
    }
    async with opened(data_dir, **paid) as workspaces:
        workspace = await workspaces.open(folder.root)
        found = await workspace.estimate()
        assert not server.asked
        assert (found.files, found.languages["python"], found.embedded, found.seconds) == (43, 43, 0, None)
        assert found.folders[0][0] == "many"
        assert found.biggest[0][1] == max(len(text) for text in CODE.values())
        assert sum(found.skipped.values()) == 1
        assert found.needs_consent
        assert found.dollars == pytest.approx(found.tokens / 1e4, rel=0.01)
        await workspace.allow()
        summary = await index(workspace)
        assert summary.chunks_added == pytest.approx(found.chunks, rel=0.1)
        later = await workspace.estimate()
        assert (later.embedded, later.dollars, later.needs_consent) == (summary.chunks_added, 0, False)
        assert later.seconds == 0
    async with opened(data_dir) as workspaces:
        (folder.root / "empty").mkdir()
        empty = await (await workspaces.open(folder.root / "empty")).estimate()
        assert (empty.files, empty.chunks, empty.tokens, empty.dollars, empty.seconds) == (0, 0, 0, 0, 0)


@pytest.mark.parametrize(
    ("settings", "price"),
    [({}, 0), ({"provider": "ollama", "url": "http://gpu.example.com"}, 0),
     ({"model": "text-embedding-3-small"}, 0.02), ({"model": "text-embedding-3-large", "url": "https://resold.example.com/v1"}, None),
     ({"model": "bge-m3", "url": "http://127.0.0.1:8080"}, 0), ({"model": "text-embedding-ada-002"}, None),
     ({"model": "voyage-code-3", "url": "https://embed.example.com/v1", "dollars_per_million_tokens": 0.2}, 0.2)],
)  # fmt: skip
def test_a_price_is_told_where_it_is_known_and_made_up_nowhere(settings: dict[str, Any], price: float | None) -> None:
    provider = {"provider": "openai"} if "model" in settings else {}
    embedders = Embedders(EmbeddingSettings(**{**provider, **settings}))
    assert embedders.price(embedders.kind) == price


def test_the_command_line_shows_builds_and_rolls_back(data_dir: Path, server: EmbeddingServer, folder: Files) -> None:
    folder.write(CODE)
    own = {
        "SIGHTLINE_EMBEDDING_PROVIDER": "ollama",
        "SIGHTLINE_EMBEDDING_URL": server.url,
        "SIGHTLINE_SEARCH_DEADLINE_MS": "5000",
    }
    assert run(data_dir, "index", folder.root).returncode == 0
    shown = run(data_dir, "index", "--dry-run", folder.root, **own)
    assert (shown.returncode, "about 3, of which 0 have vectors" in shown.stdout) == (0, True), shown
    assert "estimated by 3.3 bytes each" in shown.stdout
    elsewhere = {"SIGHTLINE_EMBEDDING_PROVIDER": "openai", "SIGHTLINE_EMBEDDING_MODEL": "bge-m3"}
    paid = run(data_dir, "index", "--dry-run", folder.root, **elsewhere)
    assert "not known: embedding.dollarsPerMillionTokens" in paid.stdout
    assert json.loads(run(data_dir, "index", "--dry-run", "--json", folder.root, **own).stdout)["dollars"] == 0
    server.stop()
    found = run(data_dir, "search", "--json", QUESTION, folder.root, **own)
    assert (found.returncode, json.loads(found.stdout)["mode"]) == (0, "hybrid"), found.stderr
    examined = run(data_dir, "doctor", folder.root, **own)
    assert (examined.returncode, "ollama serve" in examined.stdout) == (2, True)
    server.start()
    assert run(data_dir, "index", "--yes", folder.root, **own).returncode == 0
    shown = run(data_dir, "model", "rollback", folder.root, **own)
    assert shown.stdout.splitlines() == ["serving  sightline-static", f"former   {OLLAMA}", f"refused  {OLLAMA}"]
    assert "forward" in run(data_dir, "model", "forward", folder.root).stderr
    assert "sightline-static" in run(data_dir, "status", folder.root, **own).stdout
