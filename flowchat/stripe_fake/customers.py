"""Customers."""

from flowchat.stripe_fake import dunning
from flowchat.stripe_fake.calls import Call, given, retrieving
from flowchat.stripe_fake.fields import EXPAND, PAGE, SINCE, merged, pairs, text, unset
from flowchat.stripe_fake.lists import page
from flowchat.stripe_fake.refusals import missing
from flowchat.stripe_fake.state import Json, State, new_id

_FIELDS = {
    "description": unset(text),
    "email": unset(text),
    "metadata": pairs,
    "name": unset(text),
    "phone": unset(text),
}


def create(state: State, params: Json) -> Json:
    customer = {
        "id": new_id("cus", 14),
        "object": "customer",
        "address": None,
        "balance": 0,
        "created": state.now(),
        "currency": None,
        "customer_account": None,
        "default_source": None,
        "delinquent": False,
        "description": None,
        "discount": None,
        "email": None,
        "invoice_prefix": new_id("X", 7)[2:].upper(),
        "invoice_settings": {
            "custom_fields": None,
            "default_payment_method": None,
            "footer": None,
            "rendering_options": None,
        },
        "livemode": False,
        "metadata": {},
        "name": None,
        "next_invoice_sequence": 1,
        "phone": None,
        "preferred_locales": [],
        "shipping": None,
        "tax_exempt": "none",
        "test_clock": None,
        **given(params, *_FIELDS),
    }
    state.emit("customer.created", state.add("customer", customer))
    return customer


def living(state: State, ident: str, *, param: str = "id", status: int = 404) -> Json:
    """Raises Refusal for one that is unknown or deleted."""
    customer = state.get("customer", ident, param=param, status=status)
    if customer.get("deleted"):
        raise missing("customer", ident, param=param, status=status)
    return customer


def _delete(state: State, params: Json) -> Json:
    """What they had subscribed to ends at once. Who asks for them learns that they are deleted."""
    customer = living(state, params["id"])
    for subscription in state.all("subscription"):
        if subscription["customer"] == customer["id"] and subscription["status"] != "canceled":
            dunning.cancel(state, subscription, "cancellation_requested")
    for invoice in state.all("invoice"):
        if invoice["customer"] == customer["id"]:
            invoice.update(auto_advance=False, automatically_finalizes_at=None, next_payment_attempt=None)
    state.emit("customer.deleted", customer)
    gone = {"id": customer["id"], "object": "customer", "deleted": True}
    return state.add("customer", gone)


def _update(state: State, params: Json) -> Json:
    customer = living(state, params["id"])
    metadata = merged(customer["metadata"], params.get("metadata"))
    with state.changing(customer, "customer.updated"):
        customer.update(given(params, *_FIELDS), metadata=metadata)
    return customer


def _list(state: State, params: Json) -> Json:
    found = [
        customer
        for customer in state.all("customer")
        if not customer.get("deleted") and params.get("email") in (None, customer["email"])
    ]
    return page("/v1/customers", found, params, "customer")


CALLS = (
    Call("POST", "/v1/customers", create, {**_FIELDS, **EXPAND}),
    Call("GET", "/v1/customers", _list, {**PAGE, **SINCE, "email": text, **EXPAND}),
    Call("GET", "/v1/customers/<id>", retrieving("customer"), EXPAND),
    Call("DELETE", "/v1/customers/<id>", _delete, EXPAND),
    Call("POST", "/v1/customers/<id>", _update, {**_FIELDS, **EXPAND}),
)
