"""Faults on purpose: calls that get no answer, an error or a wait, before they are carried out or after."""

import random
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from flowchat.stripe_fake.refusals import Refusal

KINDS = ("timeout_before", "timeout_after", "429", "500_before", "500_after")
DROP_HEADER = b"x-fake-drop"


@dataclass
class Faults:
    """`rate` of the calls whose path begins with one of `paths` fail. A time-out holds its call for `hold_s`, then
    breaks the connection off in the middle of an answer.
    """

    rate: float = 0.0
    kinds: tuple[str, ...] = KINDS
    paths: tuple[str, ...] = ("/v1/", "/v2/")
    hold_s: float = 0.0
    dice: random.Random = field(default_factory=random.Random)
    counts: Counter[str] = field(default_factory=Counter)

    def draw(self, path: str) -> str:
        """What goes wrong with this call; '' for most."""
        if not path.startswith(self.paths) or self.dice.random() >= self.rate:
            return ""
        kind = self.dice.choice(self.kinds)
        self.counts[kind] += 1
        return kind


TOO_MANY = "Request rate limit exceeded. Learn more about rate limits here https://stripe.com/docs/rate-limits."


def too_many() -> Refusal:
    return Refusal(TOO_MANY, code="rate_limit", status=429)


def unknown_error() -> Refusal:
    return Refusal("An unknown error occurred", status=500, kind="api_error")


Asgi = Callable[[Any, Any, Callable[[Any], Awaitable[None]]], Awaitable[None]]


class BreakingOff:
    """Around a Quart application: answers that carry the header of that name are broken off in the middle."""

    def __init__(self, application: Asgi) -> None:
        self._application = application

    async def __call__(self, scope: Any, receive: Any, send: Callable[[Any], Awaitable[None]]) -> None:
        is_broken = False

        async def pass_on(message: Any) -> None:
            nonlocal is_broken
            if is_broken:
                return
            if message["type"] == "http.response.start" and DROP_HEADER in dict(message["headers"]):
                is_broken = True
                await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
                await send({"type": "http.response.body", "body": b"{", "more_body": True})
                return
            await send(message)

        await self._application(scope, receive, pass_on)
