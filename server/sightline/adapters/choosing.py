"""Which model's vectors a checkout has and should have: the one that serves, the one that is being built beside it."""

from __future__ import annotations

import json
from dataclasses import dataclass

import asyncpg

from sightline.adapters.analysing import Embedder
from sightline.adapters.embedders import Embedders, Model, kind_named
from sightline.adapters.embedding import Identity
from sightline.adapters.postgres import translated
from sightline.adapters.store import Store
from sightline.errors import SettingsError


@dataclass(frozen=True, slots=True)
class Choice:
    """What a checkout's row says, and what follows from the settings."""

    serving: Model
    target: Model
    """Whose vectors all chunks shall have."""
    former_id: int | None
    has_changed: bool
    """Whether another model has served before, or was refused: then chunks may lack vectors of either."""
    analysis: str | None
    """What the chunks were made with, None before the first scan has ended."""

    @property
    def is_whole(self) -> bool:
        """Whether nothing can be missing: a local model's vectors are stored with their chunks."""
        return self.target.id == self.serving.id and not self.target.is_remote and not self.has_changed

    @property
    def direct(self) -> Embedder:
        """What workers embed with."""
        serving = self.serving
        return Embedder() if serving.is_remote else Embedder(serving.kind.provider, serving.kind.model, serving.id)


class Chooser:
    """Reads one checkout's choice. Other processes may change it at any time."""

    def __init__(self, store: Store, repository_id: int, embedders: Embedders, configured_id: int) -> None:
        self._store = store
        self._repository_id = repository_id
        self.embedders = embedders
        self._configured = Model(configured_id, embedders.identity, embedders.kind)
        self.current = Choice(self._configured, self._configured, None, False, None)

    @classmethod
    async def opened(cls, store: Store, repository_id: int, embedders: Embedders) -> Chooser:
        """The choice of a checkout; one that never had a model gets that of the settings."""
        configured = await store.embedder(embedders.identity, embedders.kind.url)
        chooser = cls(store, repository_id, embedders, configured)
        pool = await store.pool()
        with translated():
            if await pool.fetchval("select embedder_id is null from repositories where id = $1", repository_id):
                await pool.execute(
                    "update repositories set embedder_id = $2 where id = $1 and embedder_id is null", repository_id, configured
                )  # fmt: skip
        await chooser.look()
        return chooser

    async def look(self) -> Choice:
        """What the row says now."""
        pool = await self._store.pool()
        with translated():
            row = await pool.fetchrow(
                "select e.id, e.name, e.version, e.dimensions, e.prefixes, e.url, r.former_embedder_id,"
                " r.refused_embedder_id, r.embedder_changed_at is not null,"
                " (select value #>> '{}' from meta where key = 'analysis:' || r.id) from repositories r"
                " join embedders e on e.id = r.embedder_id where r.id = $1", self._repository_id,
            )  # fmt: skip
        if row is not None:
            serving = self._configured if row[0] == self._configured.id else _model(row)
            target = serving if row[7] == self._configured.id else self._configured
            self.current = Choice(serving, target, row[6], row[8], row[9])
        return self.current


async def model_of(store: Store, embedder_id: int) -> Model:
    """A model by its id."""
    pool = await store.pool()
    with translated():
        row = await pool.fetchrow(
            "select id, name, version, dimensions, prefixes, url from embedders where id = $1", embedder_id
        )
    assert row is not None, "what a row refers to is there"
    return _model(row)


async def models(store: Store, repository_id: int) -> dict[str, str]:
    """The names of the models that serve, did so before, or were refused."""
    pool = await store.pool()
    with translated():
        row = await pool.fetchrow(
            "select s.name as serving, f.name as former, x.name as refused from repositories r"
            " left join embedders s on s.id = r.embedder_id left join embedders f on f.id = r.former_embedder_id"
            " left join embedders x on x.id = r.refused_embedder_id where r.id = $1", repository_id,
        )  # fmt: skip
    return {name: value for name, value in (row or {}).items() if value}


async def roll_back(store: Store, chooser: Chooser, repository_id: int) -> Choice:
    """Lets the former model serve again, or gives up the one that is being built; what is refused is not built again."""
    choice = await chooser.look()
    is_building = choice.target.id != choice.serving.id
    if not is_building and choice.former_id is None:
        raise SettingsError("no other model's vectors are kept", hint="Set embedding.model to the one that you want.")
    pool = await store.pool()
    with translated():
        async with pool.acquire() as connection, connection.transaction():
            await connection.execute("set local synchronous_commit = on")
            if is_building:
                await connection.execute(
                    "update repositories set refused_embedder_id = $2, embedder_changed_at = now() where id = $1",
                    repository_id, choice.target.id,
                )  # fmt: skip
            else:
                await connection.execute(
                    "update repositories set embedder_id = former_embedder_id, former_embedder_id = embedder_id,"
                    " refused_embedder_id = embedder_id, embedder_changed_at = now() where id = $1 and embedder_id = $2",
                    repository_id, choice.serving.id,
                )  # fmt: skip
    return await chooser.look()


async def promote(connection: asyncpg.Connection, repository_id: int, choice: Choice) -> None:
    """Lets the target serve, in the transaction that found it complete; keeps the model before, drops any other."""
    await connection.execute(
        "update repositories set embedder_id = $2, former_embedder_id = $3, refused_embedder_id = null,"
        " embedder_changed_at = now() where id = $1", repository_id, choice.target.id, choice.serving.id,
    )  # fmt: skip
    await drop_others(connection, repository_id, [choice.target.id, choice.serving.id])


async def expire(connection: asyncpg.Connection, repository_id: int, days: int) -> None:
    """Forgets the former model's vectors when nobody has wanted it back for so long."""
    serving = await connection.fetchval(
        "update repositories set former_embedder_id = null, embedder_changed_at = null where id = $1"
        " and embedder_changed_at < now() - make_interval(days => $2) returning embedder_id", repository_id, days,
    )  # fmt: skip
    if serving is not None:
        await drop_others(connection, repository_id, [serving])


async def drop_others(connection: asyncpg.Connection, repository_id: int, kept: list[int]) -> None:
    """Forgets a checkout's vectors of all models but these."""
    await connection.execute(
        "delete from embeddings e using code_chunks c join code_files f on f.id = c.code_file_id"
        " where f.repository_id = $1 and e.chunk_id = c.id and e.embedder_id <> all($2::int[])", repository_id, kept,
    )  # fmt: skip
    await connection.execute(
        "delete from vector_segments where repository_id = $1 and embedder_id <> all($2::int[])", repository_id, kept
    )


def _model(row: asyncpg.Record) -> Model:
    identity = Identity(row[1], row[2], row[3], json.loads(row[4]))
    return Model(row[0], identity, kind_named(row[1], row[5]))
