"""Subscriptions: what changes and ends them."""

from flowchat.stripe_fake import customers, dunning, item_changes
from flowchat.stripe_fake.calls import Call, given, retrieving
from flowchat.stripe_fake.fields import (
    EXPAND,
    PAGE,
    SINCE,
    flag,
    hash_of,
    list_of,
    merged,
    one_of,
    pairs,
    text,
    unset,
    whole,
)
from flowchat.stripe_fake.lists import page
from flowchat.stripe_fake.refusals import Refusal, missing
from flowchat.stripe_fake.state import Json, State
from flowchat.stripe_fake.subscribing import bill, open_usage, period_of, take_pending

ENDED = ("canceled", "incomplete_expired")


def _update(state: State, params: Json) -> Json:
    subscription = state.get("subscription", params["id"])
    if subscription["status"] in ENDED and not params.keys() <= {"id", "metadata", "cancellation_details", "expand"}:
        message = "A canceled subscription can only update its cancellation_details and metadata."
        raise Refusal(message)
    with state.changing(subscription, "customer.subscription.updated"):
        if "items" in params:
            proration = params.get("proration_behavior", "create_prorations")
            item_changes.apply(state, subscription, params["items"], proration)
        subscription.update(
            given(params, "description"), metadata=merged(subscription["metadata"], params.get("metadata"))
        )
        subscription["cancellation_details"].update(params.get("cancellation_details", {}))
        _plan_end(state, subscription, params)
    return subscription


def _plan_end(state: State, subscription: Json, params: Json) -> None:
    if "cancel_at_period_end" in params:
        is_ending = params["cancel_at_period_end"]
        set_end(state, subscription, period_of(subscription)[1] if is_ending else None)
        subscription["cancel_at_period_end"] = is_ending
    elif "cancel_at" in params:
        if params["cancel_at"] is not None and params["cancel_at"] <= state.now():
            raise Refusal("cancel_at must be a timestamp in the future.", param="cancel_at")
        set_end(state, subscription, params["cancel_at"])


def set_end(state: State, subscription: Json, moment: int | None) -> None:
    """When it will end by itself; None: it goes on."""
    subscription.update(
        cancel_at=moment,
        cancel_at_period_end=False,
        canceled_at=None if moment is None else state.now(),
        cancellation_details={
            **subscription["cancellation_details"],
            "reason": None if moment is None else "cancellation_requested",
        },
    )


def _cancel(state: State, params: Json) -> Json:
    subscription = state.get("subscription", params["id"])
    if subscription["status"] in ENDED:
        raise missing("subscription", subscription["id"])
    now = state.now()
    if params.get("invoice_now"):
        usage, period = open_usage(state, subscription, now), (period_of(subscription)[0], now)
        bill(state, subscription, "subscription_cycle", take_pending(state, subscription), usage, period)
    subscription["cancellation_details"].update(params.get("cancellation_details", {}))
    dunning.cancel(state, subscription, "cancellation_requested")
    return subscription


def _list(state: State, params: Json) -> Json:
    if "customer" in params:
        customers.living(state, params["customer"], param="customer", status=400)
    found = [
        each
        for each in state.all("subscription")
        if params.get("customer") in (None, each["customer"])
        and _has_status(each, params.get("status"))
        and ("price" not in params or any(item["price"]["id"] == params["price"] for item in each["items"]["data"]))
    ]
    return page("/v1/subscriptions", found, params, "subscription")


def _has_status(subscription: Json, wanted: str | None) -> bool:
    """Those that have ended are only shown to who asks for them."""
    match wanted:
        case None:
            return subscription["status"] not in ENDED
        case "all":
            return True
        case "ended":
            return subscription["status"] in ENDED
        case _:
            return bool(subscription["status"] == wanted)


_STATUSES = ("active", "all", "canceled", "ended", "past_due", "trialing", "unpaid", "paused", "incomplete")
_DETAILS = hash_of({"comment": unset(text), "feedback": unset(text)})
_ITEM = {"id": text, "price": text, "quantity": whole, "deleted": flag, "metadata": pairs}
_CHANGES = {
    "cancel_at": unset(whole),
    "cancel_at_period_end": flag,
    "cancellation_details": _DETAILS,
    "description": unset(text),
    "items": list_of(hash_of(_ITEM)),
    "metadata": pairs,
    "proration_behavior": one_of("always_invoice", "create_prorations", "none"),
    **EXPAND,
}
_LISTED = {**PAGE, **SINCE, "customer": text, "price": text, "status": one_of(*_STATUSES), **EXPAND}
CALLS = (
    Call("GET", "/v1/subscriptions", _list, _LISTED),
    Call("GET", "/v1/subscriptions/<id>", retrieving("subscription"), EXPAND),
    Call("POST", "/v1/subscriptions/<id>", _update, _CHANGES),
    Call(
        "DELETE",
        "/v1/subscriptions/<id>",
        _cancel,
        {"cancellation_details": _DETAILS, "invoice_now": flag, "prorate": flag, **EXPAND},
    ),
)
