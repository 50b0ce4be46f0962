"""A stateful fake of Stripe's API on this machine, in memory: for tests, and to try billing without the network.

It has the endpoints that FlowChat calls, with Stripe's checks, errors and side effects, its hosted pages, its signed
webhooks, and a clock that can be moved. It imports nothing of the appliance, and the appliance nothing of it.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from quart import Quart, Response, abort, request

import flowchat
from flowchat.stripe_fake import events, lifecycle, portal
from flowchat.stripe_fake.api import Api
from flowchat.stripe_fake.control import Control
from flowchat.stripe_fake.faults import BreakingOff
from flowchat.stripe_fake.pages import Pages
from flowchat.stripe_fake.state import State
from flowchat.stripe_fake.webhooks import Deliverer

TICK_S = 1.0
MAX_BODY_BYTES = 1024 * 1024
_CHECKOUT = Path(flowchat.__file__).resolve().parent.parent


def create_fake(*, webhook_url: str = "", webhook_secret: str = "") -> Quart:
    """With a webhook URL, all events go there from the start, signed with that secret."""
    state = State()
    deliverer = Deliverer(state)
    api = Api(state, deliverer)
    portal.add_default(state)
    if webhook_url:
        _add_receivers(state, webhook_url, webhook_secret)
    fake = Quart("flowchat", static_folder=str(_CHECKOUT / "static"), template_folder=str(_CHECKOUT / "templates"))
    fake.config["MAX_CONTENT_LENGTH"] = MAX_BODY_BYTES
    fake.register_blueprint(api.blueprint())
    fake.register_blueprint(Control(api).blueprint())
    Pages(api).install(fake)
    fake.before_request(_refuse_other_sites)
    fake.after_request(_add_headers)
    fake.asgi_app = BreakingOff(fake.asgi_app)  # type: ignore[method-assign]

    @fake.while_serving
    async def running() -> AsyncGenerator[None, None]:
        async with deliverer.running(), _ticking(state, deliverer):
            yield

    return fake


async def _refuse_other_sites() -> None:
    """Nobody signs in here, so that any page in the operator's browser could press buttons."""
    origin = request.headers.get("Origin")
    if request.method == "POST" and origin and f"{origin}/" != request.host_url:
        abort(403, "Only pages of this fake may do that.")


async def _add_headers(response: Response) -> Response:
    response.headers.setdefault("X-Content-Type-Options", "nosniff")
    response.headers.setdefault("Referrer-Policy", "same-origin")
    return response


def _add_receivers(state: State, url: str, secret: str) -> None:
    events.create_endpoint(state, {"url": url, "enabled_events": ["*"], "secret": secret})
    thin = {"name": "all", "event_payload": "thin", "enabled_events": ["*"], "webhook_endpoint": {"url": url}}
    events.create_destination(state, {**thin, "secret": secret})


@asynccontextmanager
async def _ticking(state: State, deliverer: Deliverer) -> AsyncIterator[None]:
    """Things happen when they are due, asked or not."""

    async def tick() -> None:
        while True:
            await asyncio.sleep(TICK_S)
            lifecycle.catch_up(state)
            deliverer.wake()

    task = asyncio.create_task(tick())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
