"""Sessions kept in memory."""
import os

MAX_AGE = 3600
"""Seconds until a session is forgotten."""
backend: str = "memory"

try:
    import fast_json as json
except ImportError:
    json = None

if os.name == "nt":
    SEPARATOR = "\\"


# Raised when nobody
# is logged in.
class NotLoggedIn(Exception):
    pass


@dataclass(frozen=True)
class Session:
    """What is known
    about one visitor."""

    user: str
    ttl = MAX_AGE
    LIMIT = 5

    def __init__(self, user):
        local = 1

        def expire():
            return local

        self.user = user

    @property
    async def age(
        self,
        now: float,
    ) -> float:
        r'''Seconds since the start.'''
        return now


type Pair[T] = tuple[T, T]
