"""`/_fake`: what tests and operators do to the fake itself. JSON in, JSON out, no key."""

import random
from collections.abc import Awaitable, Callable
from dataclasses import asdict, fields, replace
from typing import Any

from quart import Blueprint, request

from flowchat.stripe_fake import lifecycle, meter_events
from flowchat.stripe_fake.api import Api
from flowchat.stripe_fake.faults import KINDS, Faults
from flowchat.stripe_fake.refusals import Malformed, Refusal
from flowchat.stripe_fake.state import AFTER_RETRIES, Behaviour, Json, timestamp
from flowchat.stripe_fake.webhooks import Delivery

_ORDERS = ("created", "reversed", "shuffled")


class Control:
    def __init__(self, api: Api) -> None:
        self._api = api

    def blueprint(self) -> Blueprint:
        blueprint = Blueprint("control", __name__, url_prefix="/_fake")
        blueprint.add_url_rule("/state", "state", self.state, methods=["GET"])
        posts: dict[str, Callable[..., Awaitable[Json]]] = {
            "/clock": self.move_clock,
            "/faults": self.set_faults,
            "/outage": self.set_outage,
            "/settings": self.set_behaviour,
            "/webhooks": self.hold_webhooks,
            "/webhooks/release": self.release_webhooks,
            "/customers/<ident>/payments": self.set_payments,
            "/events/<ident>/resend": self.resend,
        }
        for path, view in posts.items():
            blueprint.add_url_rule(path, path, view, methods=["POST"])
        blueprint.register_error_handler(Refusal, lambda refusal: (refusal.body, refusal.status))
        return blueprint

    async def state(self) -> Json:
        """All of it."""
        state = self._api.state
        return {
            "now": state.now(),
            "time": timestamp(state.now()),
            "outage": self._api.outage is not None,
            "meters": meter_events.totals(state),
            "meter_events": meter_events.as_json(state.meter_events),
            "duplicates_refused": list(state.duplicates),
            "requests": dict(state.counts),
            "last_requests": [asdict(entry) for entry in reversed(state.requests)],
            "faults": dict(self._api.faults.counts),
            "declining_customers": sorted(state.declining),
            "events": [*state.events.values(), *state.thin_events.values()],
            "deliveries": [_delivery(each) for each in self._api.deliverer.deliveries],
            "undelivered": self._api.deliverer.count_waiting(),
            "webhooks_held": self._api.deliverer.holds,
            "objects": {kind: list(things.values()) for kind, things in state.objects.items()},
        }

    async def move_clock(self) -> Json:
        """`advance_s` seconds on, through all that happens meanwhile, or to `now` (Unix time), where nothing does."""
        state, given = self._api.state, await _given("advance_s", "now")
        if "now" in given:
            state.clock.set(_number(given, "now"))
        if "advance_s" in given:
            lifecycle.advance(state, _number(given, "advance_s"))
        self._api.deliverer.wake()
        return {"now": state.now(), "time": timestamp(state.now())}

    async def set_faults(self) -> Json:
        """`rate`, `kinds`, `paths` (beginnings of them), `hold_s` of time-outs and `seed`. {}: no faults any more."""
        given = await _given("rate", "kinds", "paths", "hold_s", "seed")
        self._api.faults = _faults(given, self._api.faults)
        return {"rate": self._api.faults.rate, "kinds": self._api.faults.kinds}

    async def set_outage(self) -> Json:
        """While it is `on`, every call fails: in a way that is one of `kinds`, time-outs unless told otherwise."""
        given = await _given("on", "kinds", "paths", "hold_s")
        is_on = given.pop("on", False)
        wanted = {"kinds": ["timeout_before"], **given, "rate": 1.0}
        self._api.outage = _faults(wanted, self._api.faults) if is_on else None
        return {"on": bool(is_on)}

    async def set_behaviour(self) -> Json:
        """Fields of Behaviour."""
        given = await _given(*(field.name for field in fields(Behaviour)))
        if given.get("after_retries", "unpaid") not in AFTER_RETRIES:
            raise Malformed(f"Invalid after_retries: must be one of {', '.join(AFTER_RETRIES)}", param="after_retries")
        if "retry_days" in given:
            given["retry_days"] = tuple(given["retry_days"])
        self._api.state.behaviour = replace(self._api.state.behaviour, **given)
        return asdict(self._api.state.behaviour)

    async def hold_webhooks(self) -> Json:
        """With `hold`, events wait until they are released."""
        given = await _given("hold")
        self._api.deliverer.holds = bool(given.get("hold"))
        self._api.deliverer.wake()
        return {"hold": self._api.deliverer.holds}

    async def release_webhooks(self) -> Json:
        """What is held, in an `order` (created, reversed, shuffled by `seed`), each twice with `duplicate`."""
        given = await _given("order", "duplicate", "seed")
        order = given.get("order", "created")
        if order not in _ORDERS:
            raise Malformed(f"Invalid order: must be one of {', '.join(_ORDERS)}", param="order")
        duplicate = bool(given.get("duplicate"))
        return {"sent": await self._api.deliverer.release(order=order, duplicate=duplicate, seed=given.get("seed"))}

    async def set_payments(self, ident: str) -> Json:
        """Whether the customer's payments `fail` from now on."""
        given = await _given("fail")
        self._api.state.get("customer", ident)
        if given.get("fail"):
            self._api.state.declining.add(ident)
        else:
            self._api.state.declining.discard(ident)
        return {"customer": ident, "fail": ident in self._api.state.declining}

    async def resend(self, ident: str) -> Json:
        """An event, once more, to everybody who wants it."""
        state = self._api.state
        if ident not in state.events and ident not in state.thin_events:
            raise Refusal(f"No such event: '{ident}'", code="resource_missing", status=404)
        receivers = self._api.deliverer.send(ident, ident in state.thin_events)
        self._api.deliverer.wake()
        return {"event": ident, "receivers": receivers}


async def _given(*names: str) -> Json:
    found = await request.get_json(force=True, silent=True)
    if not isinstance(found, dict):
        raise Malformed("Send a JSON object.")
    unknown = [name for name in found if name not in names]
    if unknown:
        raise Malformed(f"Received unknown parameter: {unknown[0]}", code="parameter_unknown", param=unknown[0])
    return found


def _number(given: Json, name: str) -> float:
    value: Any = given[name]
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise Malformed(f"Invalid number: {value}", param=name)
    return value


def _faults(given: Json, before: Faults) -> Faults:
    kinds = tuple(given.get("kinds", KINDS))
    if unknown := [kind for kind in kinds if kind not in KINDS]:
        raise Malformed(f"Invalid kinds: '{unknown[0]}' is none of {', '.join(KINDS)}", param="kinds")
    return Faults(
        rate=float(given.get("rate", 0)),
        kinds=kinds,
        paths=tuple(given.get("paths", ("/v1/", "/v2/"))),
        hold_s=float(given.get("hold_s", 0)),
        dice=random.Random(given.get("seed")),  # noqa: S311 (nothing secret)
        counts=before.counts,
    )


def _delivery(delivery: Delivery) -> Json:
    found = asdict(delivery)
    del found["body"], found["secret"]
    return {**found, "taken": delivery.is_taken}
