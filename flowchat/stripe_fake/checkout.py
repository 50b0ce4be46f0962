"""Checkout sessions: what somebody is about to subscribe to, and what paying makes of it."""

from flowchat.stripe_fake import amounts, checkout_shapes, customers, periods, subscribing
from flowchat.stripe_fake.calls import Call, given, retrieving
from flowchat.stripe_fake.fields import (
    EXPAND,
    PAGE,
    SINCE,
    address,
    hash_of,
    list_of,
    needed,
    one_of,
    pairs,
    text,
    whole,
)
from flowchat.stripe_fake.lists import page
from flowchat.stripe_fake.refusals import Refusal
from flowchat.stripe_fake.state import Json, State, new_id

_EXPIRES_S = 24 * 3600
_SHORTEST_S, _LONGEST_S = 30 * 60, 24 * 3600
_LOCALES = ("auto", "de", "en", "es", "fr", "it", "ja", "nl", "pl", "pt")


def _create(state: State, params: Json) -> Json:
    if "customer" in params:
        customers.living(state, params["customer"], param="customer", status=400)
        if "customer_email" in params:
            raise Refusal("You may only specify one of these parameters: customer, customer_email.")
    wanted = _wanted(state, params["line_items"])
    data = params.get("subscription_data", {})
    anchor = _anchor(state, data, wanted)
    now, ident = state.now(), new_id("cs_test", 58)
    expires_at = params.get("expires_at", now + _EXPIRES_S)
    if not now + _SHORTEST_S <= expires_at <= now + _LONGEST_S:
        message = "The `expires_at` timestamp must be between 30 minutes and 24 hours from Checkout Session creation."
        raise Refusal(message, param="expires_at")
    items = [checkout_shapes.line_item(each["price"], each.get("quantity"), _amount(each)) for each in wanted]
    session = checkout_shapes.session(ident, now, expires_at, wanted[0]["price"]["currency"], items)
    names = ("cancel_url", "client_reference_id", "customer", "customer_email", "locale", "metadata", "success_url")
    session.update(given(params, *names), url=f"{state.base_url}/checkout/{ident}")
    state.wishes[ident] = {
        "wanted": wanted,
        "anchor": anchor,
        "prorates": data.get("proration_behavior", "create_prorations") == "create_prorations",
        "metadata": data.get("metadata", {}),
    }
    return state.add("checkout.session", session)


def _wanted(state: State, line_items: list[Json]) -> list[Json]:
    """What is subscribed to. Raises Refusal."""
    if not line_items:
        raise Refusal("You must provide at least one recurring price in `subscription` mode.", param="line_items")
    wanted: list[Json] = []
    for place, each in enumerate(line_items):
        others = [other["price"] for other in wanted]
        price = subscribing.wanted_price(state, each, f"line_items[{place}]", others)
        if price["recurring"]["usage_type"] == "licensed" and "quantity" not in each:
            message = f"Quantity is required. Add `quantity` to `line_items[{place}]`"
            raise Refusal(message, param=f"line_items[{place}]")
        wanted.append({"price": price, **given(each, "quantity")})
    return wanted


def _anchor(state: State, data: Json, wanted: list[Json]) -> int | None:
    """Of the subscription. Raises Refusal for one that is past, or later than a whole period ahead."""
    config, anchor = data.get("billing_cycle_anchor_config"), data.get("billing_cycle_anchor")
    name = "subscription_data[billing_cycle_anchor]"
    if config is not None:
        if anchor is not None:
            raise Refusal(
                "You may only specify one of billing_cycle_anchor and billing_cycle_anchor_config.", param=name
            )
        return periods.next_anchor(state.now(), config)
    if anchor is None:
        return None
    now = state.now()
    if anchor <= now:
        raise Refusal("`subscription_data[billing_cycle_anchor]` must be in the future.", param=name)
    if anchor > periods.boundary(now, wanted[0]["price"]["recurring"], 1):
        message = f"billing_cycle_anchor cannot be later than next natural billing date for price: {anchor}"
        raise Refusal(message, param=name)
    return int(anchor)


def _amount(wanted: Json) -> int:
    """Of a whole period; usage is not known yet."""
    return amounts.amount(wanted["price"], wanted.get("quantity", 0))


def due_now(state: State, session: Json) -> int:
    """What paying costs at this moment: of the first period, or what is left of it."""
    wish, now = state.wishes[session["id"]], state.now()
    period, whole_period = subscribing.first_period(wish["anchor"], wish["wanted"][0]["price"]["recurring"], now)
    if period != whole_period and not wish["prorates"]:
        return 0
    return sum(
        amounts.prorated(_amount(each), period[1] - period[0], whole_period[1] - whole_period[0])
        for each in wish["wanted"]
        if "quantity" in each
    )


def complete(state: State, session: Json) -> None:
    """It is paid, with a card that works."""
    wish = state.wishes[session["id"]]
    if session["customer"] is None:
        customer = customers.create(state, {"email": session["customer_email"] or "somebody@example.com"})
        session["customer"] = customer["id"]
    customer = customers.living(state, session["customer"])
    state.declining.discard(customer["id"])
    subscription = subscribing.start(
        state,
        customer["id"],
        wish["wanted"],
        anchor=wish["anchor"],
        prorates=wish["prorates"],
        metadata=dict(wish["metadata"]),
    )
    invoice = state.get("invoice", subscription["latest_invoice"])
    session.update(
        amount_subtotal=invoice["subtotal"],
        amount_total=invoice["total"],
        customer_details={
            "address": None,
            "business_name": None,
            "email": customer["email"],
            "individual_name": None,
            "name": customer["name"],
            "phone": customer["phone"],
            "tax_exempt": "none",
            "tax_ids": [],
        },
        invoice=invoice["id"],
        payment_status="paid" if invoice["amount_paid"] else "no_payment_required",
        status="complete",
        subscription=subscription["id"],
        url=None,
    )
    state.emit("checkout.session.completed", session)


def expire(state: State, session: Json) -> None:
    session.update(status="expired", url=None)
    state.emit("checkout.session.expired", session)


def _expire(state: State, params: Json) -> Json:
    session = state.get("checkout.session", params["id"])
    if session["status"] != "open":
        message = f'Only Checkout Sessions with a status in ["open"] can be expired. This one is {session["status"]}.'
        raise Refusal(message)
    expire(state, session)
    return session


def _list(state: State, params: Json) -> Json:
    found = [
        session
        for session in state.all("checkout.session")
        if all(params.get(name) in (None, session[name]) for name in ("customer", "status", "subscription"))
    ]
    return page("/v1/checkout/sessions", found, params, "checkout.session")


def _list_items(state: State, params: Json) -> Json:
    items = state.get("checkout.session", params["id"])["line_items"]
    return page(items["url"], reversed(items["data"]), params, "item")


_ANCHOR = {"day_of_month": needed(whole), "hour": whole, "minute": whole, "month": whole, "second": whole}
_SUBSCRIPTION = {
    "billing_cycle_anchor": whole,
    "billing_cycle_anchor_config": hash_of(_ANCHOR),
    "metadata": pairs,
    "proration_behavior": one_of("create_prorations", "none"),
}
_NEW = {
    "cancel_url": address,
    "client_reference_id": text,
    "customer": text,
    "customer_email": text,
    "expires_at": whole,
    "line_items": needed(list_of(hash_of({"price": needed(text), "quantity": whole}))),
    "locale": one_of(*_LOCALES),
    "metadata": pairs,
    "mode": needed(one_of("subscription")),
    "subscription_data": hash_of(_SUBSCRIPTION),
    "success_url": needed(address),
    **EXPAND,
}
_LISTED = {
    **PAGE,
    **SINCE,
    "customer": text,
    "status": one_of("complete", "expired", "open"),
    "subscription": text,
    **EXPAND,
}
CALLS = (
    Call("POST", "/v1/checkout/sessions", _create, _NEW),
    Call("GET", "/v1/checkout/sessions", _list, _LISTED),
    Call("GET", "/v1/checkout/sessions/<id>", retrieving("checkout.session"), EXPAND),
    Call("GET", "/v1/checkout/sessions/<id>/line_items", _list_items, {**PAGE, **EXPAND}),
    Call("POST", "/v1/checkout/sessions/<id>/expire", _expire, EXPAND),
)
