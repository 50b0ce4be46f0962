"""Where Stripe sends its events: the one call of the API that is Stripe's."""

from typing import cast

from quart import Blueprint, Response, request

from flowchat.errors import FlowChatError
from flowchat.services import stripe_inbox
from flowchat.services.stripe_setup import EVENTS_PATH
from flowchat.web import auth, respond
from flowchat.web.current import appliance

blueprint = Blueprint("stripe_events", __name__)


@blueprint.post(EVENTS_PATH)
async def receive() -> Response:
    auth.follow_by_address()
    try:
        body = cast(bytes, await request.get_data(cache=False, as_text=False))
        await stripe_inbox.receive(appliance(), body, request.headers.get("Stripe-Signature", ""))
    except FlowChatError:
        auth.count_by_address()
        raise
    return respond.json({"received": True})
