"""What every worker needs; the process that forks them imports this, so that each begins in milliseconds."""

from __future__ import annotations

import contextlib

from sightline.adapters import analysing, embedding
from sightline.errors import EmbedderError

__all__ = ("analysing",)

with contextlib.suppress(EmbedderError):  # which the worker tells to somebody who listens
    embedding.bundled()
