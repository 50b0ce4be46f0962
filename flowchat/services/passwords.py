"""Passwords as argon2id hashes, computed beside the event loop and few at a time."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from flowchat.errors import Busy
from flowchat.services import validate

T = TypeVar("T")

# OWASP's Password Storage Cheat Sheet: 19 MiB, 2 passes, 1 lane. About 30 ms of one core.
_HASHER = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)
_AT_ONCE = 2
_OF_ONE = 5  # that wait or are computed for one client
_CLIENTS = 100
BUSY_RETRY_S = 3
MIN_CHARS, MAX_CHARS = 10, 200
_MIN_DIFFERENT = 5


def check_strength(password: str, email: str, param: str = "password") -> None:
    """Long enough, and not what is tried first. Raises FlowChatError `bad_password`."""
    if not MIN_CHARS <= len(password) <= MAX_CHARS:
        raise validate.invalid(param, f"Choose a password of {MIN_CHARS} to {MAX_CHARS} characters.")
    lowered = password.lower()
    if len(set(lowered)) < _MIN_DIFFERENT or lowered in (email, email.partition("@")[0] * 2):
        raise validate.invalid(param, "This password is too easy to guess. A few unrelated words make a good one.")


@dataclass(slots=True)
class _Lane:
    """A client's passwords, one after the other."""

    turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    waiting: int = 0


class Passwords:
    """Hashes and checks passwords: at most two at once (19 MiB each).

    Each client (a network, or a user who is signed in) has one turn at a time, so that one who sends many only makes
    their own wait: at most five, and 100 clients.
    """

    def __init__(self) -> None:
        self._free = asyncio.Semaphore(_AT_ONCE)
        self._lanes: dict[str, _Lane] = {}
        self._nobodys: str | None = None

    async def hash(self, password: str, client: str) -> str:
        """Raises Busy."""
        return await self._work(client, lambda: _HASHER.hash(password))

    async def verify(self, password_hash: str | None, password: str, client: str) -> bool:
        """None, for somebody who doesn't exist, takes as long and is False. Raises Busy."""
        if password_hash is None:
            self._nobodys = self._nobodys or await self.hash("nobody's password", client)
        checked = password_hash or self._nobodys or ""
        return await self._work(client, lambda: _is_right(checked, password)) and password_hash is not None

    async def _work(self, client: str, work: Callable[[], T]) -> T:
        lane = self._lanes.get(client) or _Lane()
        if lane.waiting >= _OF_ONE or (client not in self._lanes and len(self._lanes) >= _CLIENTS):
            raise Busy("Too many people are signing in. Try again in a few seconds.", retry_after_s=BUSY_RETRY_S)
        self._lanes[client] = lane
        lane.waiting += 1
        try:
            async with lane.turn, self._free:
                return await asyncio.to_thread(work)
        finally:
            lane.waiting -= 1
            if not lane.waiting:
                del self._lanes[client]


def is_outdated(password_hash: str) -> bool:
    """Whether a hash was made with other parameters than those of today."""
    return _HASHER.check_needs_rehash(password_hash)


def _is_right(password_hash: str, password: str) -> bool:
    try:
        return _HASHER.verify(password_hash, password)
    except (VerificationError, InvalidHashError):
        return False
