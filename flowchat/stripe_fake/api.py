"""The REST endpoints: who may call, what is replayed, what goes wrong on purpose, and what is answered."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from quart import Blueprint, Response, request

from flowchat.stripe_fake import (
    checkout,
    customers,
    events,
    invoices,
    lifecycle,
    meter_events,
    meters,
    portal,
    prices,
    products,
    subscriptions,
)
from flowchat.stripe_fake import fields as parameters
from flowchat.stripe_fake.callers import check_caller
from flowchat.stripe_fake.calls import Call
from flowchat.stripe_fake.faults import DROP_HEADER, Faults, too_many, unknown_error
from flowchat.stripe_fake.form import decode
from flowchat.stripe_fake.lists import shown
from flowchat.stripe_fake.refusals import Malformed, Refusal
from flowchat.stripe_fake.state import Json, Request, State, new_id
from flowchat.stripe_fake.webhooks import Deliverer

IDEMPOTENT_S = 24 * 3600  # how long an answer is kept for its key
_MAX_KEY = 255
CALLS: tuple[Call, ...] = (
    *products.CALLS,
    *prices.CALLS,
    *meters.CALLS,
    *meter_events.CALLS,
    *customers.CALLS,
    *checkout.CALLS,
    *portal.CALLS,
    *subscriptions.CALLS,
    *invoices.CALLS,
    *events.CALLS,
)


@dataclass(slots=True)
class Reply:
    """An answer that is kept for its idempotency key. `status` 0: it is still being made."""

    asked: Any  # method, path and parameters
    created: int
    request_id: str
    status: int = 0
    body: Json = field(default_factory=dict)


@dataclass(slots=True)
class Api:
    """The fake behind its blueprint."""

    state: State
    deliverer: Deliverer
    faults: Faults = field(default_factory=Faults)
    outage: Faults | None = None
    replies: dict[str, Reply] = field(default_factory=dict)

    def blueprint(self) -> Blueprint:
        blueprint = Blueprint("api", __name__)
        for call in CALLS:
            blueprint.add_url_rule(call.path, call.name, self._view(call), methods=[call.method])
        for start in ("/v1/", "/v2/"):
            path = f"{start}<path:rest>"
            blueprint.add_url_rule(path, path, self._unknown, methods=["GET", "POST", "DELETE", "PUT", "PATCH"])
        return blueprint

    def _view(self, call: Call) -> Callable[..., Awaitable[Response]]:
        async def view(**path: str) -> Response:
            return await self._answer(call, path)

        return view

    async def _unknown(self, rest: str) -> Response:
        return await self._answer(None, {})

    async def _answer(self, call: Call | None, path: dict[str, str]) -> Response:
        """Every call ends up in the log, with what became of it."""
        key = request.headers.get("Idempotency-Key") if request.method in ("POST", "DELETE") else None
        version = request.headers.get("Stripe-Version", "")
        now = self.state.now()
        entry = Request(new_id("req", 14), now, request.method, request.path, version, key)
        self.state.requests.append(entry)
        self.state.counts[call.name if call else "unknown"] += 1
        faults = self.outage or self.faults
        entry.fault = faults.draw(request.path)
        try:
            body = await self._done(call, path, entry)
            entry.status = 200
        except Refusal as refusal:
            body, entry.status, entry.code = refusal.body, refusal.status, refusal.error.get("code", "")
        finally:
            self.deliverer.wake()
        if entry.fault.startswith("timeout"):
            entry.status = 0
            await asyncio.sleep(faults.hold_s)
            return Response("", headers={DROP_HEADER.decode(): "1"})
        return _response(body, entry)

    async def _done(self, call: Call | None, path: dict[str, str], entry: Request) -> Json:
        check_caller(request.headers.get("Authorization", ""), entry.version)
        raw = await _raw_parameters()
        match entry.fault:
            case "timeout_before":
                return {}
            case "429":
                raise too_many()
            case "500_before":
                raise unknown_error()
        if call is None:
            raise _unrecognized()
        if entry.idempotency_key is None:
            await asyncio.sleep(self.state.behaviour.latency_s)
            return self._carry_out(call, path, raw, entry)
        return await self._once(call, path, raw, entry)

    async def _once(self, call: Call, path: dict[str, str], raw: Json, entry: Request) -> Json:
        """Raises what it raised before where the key is known."""
        key = entry.idempotency_key or ""
        if len(key) > _MAX_KEY:
            raise Malformed(f"Idempotency keys can be at most {_MAX_KEY} characters long.", kind="idempotency_error")
        asked = (entry.method, entry.path, raw)
        before = self.replies.get(key)
        if before and entry.created - before.created < IDEMPOTENT_S:
            return _replayed(before, asked, key, entry)
        reply = self.replies[key] = Reply(asked, entry.created, entry.id)
        try:
            await asyncio.sleep(self.state.behaviour.latency_s)
            reply.body = self._carry_out(call, path, raw, entry)
            reply.status = 200
        except Malformed:
            raise
        except Refusal as refusal:
            reply.status, reply.body = refusal.status, refusal.body
            raise
        finally:
            if not reply.status:
                del self.replies[key]
        return reply.body

    def _carry_out(self, call: Call, path: dict[str, str], raw: Json, entry: Request) -> Json:
        params = {**parameters.read(call.fields, raw), **path}
        lifecycle.catch_up(self.state)
        self.state.request, self.state.base_url = entry, request.host_url.rstrip("/")
        try:
            body = shown(self.state, call.handler(self.state, params), params.get("expand", []))
        finally:
            self.state.request = None
        if entry.fault == "500_after":
            raise unknown_error()
        return body


async def _raw_parameters() -> Json:
    text: str = await request.get_data(as_text=True)  # type: ignore[assignment]  # it is typed for both
    query = decode(request.query_string.decode())
    if request.method == "GET" or not text:
        return query
    if not request.path.startswith("/v2/"):
        return {**query, **decode(text)}
    try:
        found = json.loads(text)
    except ValueError:
        found = None
    if request.mimetype != "application/json" or not isinstance(found, dict):
        raise Malformed("Invalid request body: send a JSON object, as application/json.", code="invalid_request_body")
    return found


def _unrecognized() -> Malformed:
    return Malformed(
        f"Unrecognized request URL ({request.method}: {request.path}). If you are trying to list objects, remove the "
        "trailing slash. If you are trying to retrieve an object, make sure you passed a valid (non-empty) identifier "
        "in your code. Please see https://stripe.com/docs or we can help at https://support.stripe.com/.",
        status=404,
    )


def _replayed(before: Reply, asked: Any, key: str, entry: Request) -> Json:
    if before.asked != asked:
        raise Malformed(
            "Keys for idempotent requests can only be used with the same parameters they were first used with. "
            f"Try using a key other than '{key}' if you meant to execute a different request.",
            kind="idempotency_error",
        )
    if before.status == 0:
        raise Malformed(
            "There is currently another in-progress request using this Idempotent Key (that probably means you "
            f"submitted twice, and the other request is still going through): {key}. Please try again later.",
            code="idempotency_key_in_use",
            kind="idempotency_error",
            status=409,
        )
    entry.is_replay = True
    if before.status == 200:
        return before.body
    raise _Again(before)


class _Again(Refusal):
    """The error that was answered before."""

    def __init__(self, before: Reply) -> None:
        super().__init__("", status=before.status)
        self.error = before.body["error"]


def _response(body: Json, entry: Request) -> Response:
    response = Response(json.dumps(body, indent=2), entry.status, content_type="application/json")
    response.headers["Request-Id"] = entry.id
    response.headers["Stripe-Version"] = entry.version
    if entry.idempotency_key:
        response.headers["Idempotency-Key"] = entry.idempotency_key
    if entry.is_replay:
        response.headers["Idempotent-Replayed"] = "true"
    if entry.status == 401:
        response.headers["WWW-Authenticate"] = 'Basic realm="Stripe"'
    return response
