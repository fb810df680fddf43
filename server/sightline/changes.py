"""Which files of what is searched differ from a branch or commit, as git knows them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from sightline.adapters.revisions import Revisions
from sightline.adapters.snapshots import FilePlace
from sightline.adapters.store import Checkout
from sightline.candidates import Changes
from sightline.core.model import Filters
from sightline.errors import QueryError


class Searched(Protocol):
    """Checkouts, and who asks git about them."""

    @property
    def checkouts(self) -> tuple[Checkout, ...]: ...

    @property
    def revisions(self) -> Revisions: ...


async def changed_files(sources: Sequence[Searched], filters: Filters) -> Sequence[Changes | None]:
    """For each source, the files that `changed:` is about; QueryError where git cannot tell of any checkout."""
    if not (filters.changed or filters.not_changed):
        return [None] * len(sources)
    wanted, unwanted = await _differing(sources, filters.changed), await _differing(sources, filters.not_changed)
    return [Changes(*each) for each in zip(wanted, unwanted, strict=True)]


async def _differing(sources: Sequence[Searched], bases: Sequence[str]) -> list[frozenset[FilePlace]]:
    found: list[set[FilePlace]] = [set() for _ in sources]
    places = [(number, source, checkout) for number, source in enumerate(sources) for checkout in source.checkouts]
    for base in bases:
        problems = []
        for number, source, checkout in places:
            try:
                paths = await source.revisions.changed(checkout.root, base)
            except QueryError as error:
                problems.append(error)
                continue
            found[number] |= {(checkout.repository_id, path) for path in paths}
        if problems and len(problems) == len(places):
            raise problems[0]
    return [frozenset(each) for each in found]
