"""Passwords are computed a few at a time, and nobody's many keep others waiting."""

import asyncio

import pytest

from flowchat.errors import Busy
from flowchat.services.passwords import Passwords


async def test_who_sends_many_waits_alone() -> None:
    passwords, done = Passwords(), list[str]()

    async def guess(client: str) -> None:
        await passwords.verify(None, "guess", client)
        done.append(client)

    await passwords.verify(None, "first", "anybody")
    guesses = [asyncio.create_task(guess("198.51.100.7")) for _ in range(30)]
    await asyncio.sleep(0)
    await guess("203.0.113.1")
    ended = await asyncio.gather(*guesses, return_exceptions=True)
    assert done.index("203.0.113.1") <= 2
    assert sum(isinstance(result, Busy) for result in ended) == 25
    await guess("198.51.100.7")


async def test_there_is_an_end_to_clients() -> None:
    passwords = Passwords()
    tasks = [asyncio.create_task(passwords.hash("password", f"203.0.113.{number}")) for number in range(100)]
    await asyncio.sleep(0)
    with pytest.raises(Busy):
        await passwords.hash("password", "198.51.100.7")
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert await passwords.hash("password", "198.51.100.7")
