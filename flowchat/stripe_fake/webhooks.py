"""Sends events to webhook endpoints, signed, in the background, again and again until they are taken."""

import asyncio
import hashlib
import hmac
import json
import logging
import random
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import httpx

from flowchat.stripe_fake.events import wants
from flowchat.stripe_fake.state import Json, State

TIMEOUT_S = 10.0
RETRY_S = (2, 10, 60, 600, 3600, 6 * 3600, 24 * 3600)  # by the fake's clock
LOOK_S = 1.0

log = logging.getLogger(__name__)


@dataclass(slots=True)
class Delivery:
    """An event on its way to one receiver. `status`: what it last answered; `due_at` None: no further attempt."""

    event: str
    type: str
    receiver: str
    url: str
    secret: str
    body: bytes
    due_at: int | None
    attempts: int = 0
    status: int | None = None
    error: str = ""

    @property
    def is_taken(self) -> bool:
        return self.status is not None and 200 <= self.status < 300


def signature(secret: str, body: bytes, moment: int) -> str:
    """The header Stripe-Signature."""
    mac = hmac.new(secret.encode(), f"{moment}.".encode() + body, hashlib.sha256)
    return f"t={moment},v1={mac.hexdigest()}"


class Deliverer:
    """One delivery after the other. While it `holds`, nothing is sent but what is released."""

    def __init__(self, state: State) -> None:
        self.deliveries: list[Delivery] = []
        self.holds = False
        self._state = state
        self._sending = asyncio.Lock()
        self._woken = asyncio.Event()
        # A kept connection could be one that its server is about to close.
        limits = httpx.Limits(max_keepalive_connections=0)
        self._client = httpx.AsyncClient(timeout=TIMEOUT_S, trust_env=False, limits=limits)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        task = asyncio.create_task(self._run())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            await self._client.aclose()

    def wake(self) -> None:
        self._woken.set()

    async def _run(self) -> None:
        while True:
            self._take_new()
            if not self.holds:
                async with self._sending:
                    for delivery in self._due():
                        if not self.holds:
                            await self._attempt(delivery)
            try:
                async with asyncio.timeout(LOOK_S):
                    await self._woken.wait()
            except TimeoutError:
                pass
            self._woken.clear()

    def _take_new(self) -> None:
        """What has happened since, for everybody who wants to know."""
        while self._state.unsent:
            self.send(*self._state.unsent.popleft())

    def send(self, ident: str, is_thin: bool) -> int:
        """An event, or once more; returns to how many it goes."""
        event = (self._state.thin_events if is_thin else self._state.events)[ident]
        body = _notification(event) if is_thin else event
        receivers = self._receivers(event["type"], "thin" if is_thin else "snapshot")
        for receiver, url in receivers:
            secret = self._state.secrets[receiver]
            text = json.dumps(body, indent=2).encode()
            now = self._state.now()
            self.deliveries.append(Delivery(ident, event["type"], receiver, url, secret, text, due_at=now))
        return len(receivers)

    def _receivers(self, name: str, payload: str) -> list[tuple[str, str]]:
        found = [
            (each["id"], each["webhook_endpoint"]["url"])
            for each in self._state.all("event_destination")
            if each["event_payload"] == payload and wants(each, name)
        ]
        if payload == "snapshot":
            endpoints = self._state.all("webhook_endpoint")
            found += [(each["id"], each["url"]) for each in endpoints if wants(each, name)]
        return found

    def _due(self) -> list[Delivery]:
        now = self._state.now()
        return [each for each in self.deliveries if each.due_at is not None and each.due_at <= now]

    def count_waiting(self) -> int:
        """Events that nobody was told of yet, and deliveries that are due."""
        return len(self._state.unsent) + len(self._due())

    def count_failing(self) -> int:
        """Deliveries that were tried in vain, whether or not they are tried again."""
        return sum(1 for each in self.deliveries if each.attempts and not each.is_taken)

    async def release(self, *, order: str = "created", duplicate: bool = False, seed: int | None = None) -> int:
        """Send what is held, in its order, reversed or shuffled, and each twice with `duplicate`; returns how often."""
        self._take_new()
        async with self._sending:
            going = self._due() * (2 if duplicate else 1)
            if order == "reversed":
                going.reverse()
            elif order == "shuffled":
                random.Random(seed).shuffle(going)  # noqa: S311 (nothing secret)
            for delivery in going:
                await self._attempt(delivery)
        return len(going)

    async def _attempt(self, delivery: Delivery) -> None:
        delivery.attempts += 1
        # The receiver's tolerance is for real time, however the fake's clock was moved.
        headers = {
            "Content-Type": "application/json; charset=utf-8",
            "Stripe-Signature": signature(delivery.secret, delivery.body, int(time.time())),
            "User-Agent": "Stripe/1.0 (+https://stripe.com/docs/webhooks)",
        }
        try:
            answer = await self._client.post(delivery.url, content=delivery.body, headers=headers)
            delivery.status, delivery.error = answer.status_code, ""
        except httpx.HTTPError as error:
            delivery.status, delivery.error = None, f"{type(error).__name__}: {error}"
        again = RETRY_S[delivery.attempts - 1] if delivery.attempts <= len(RETRY_S) else None
        delivery.due_at = None if delivery.is_taken or again is None else self._state.now() + again
        log.info("%s to %s: %s", delivery.type, delivery.url, delivery.status or delivery.error)


def _notification(event: Json) -> Json:
    """A thin event as it is sent: without its data."""
    return {name: value for name, value in event.items() if name != "data"}
