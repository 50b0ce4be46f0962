"""The fake of Stripe has the shapes that the pinned library knows: of parameters, of objects, and of its version."""

from typing import Any, ClassVar, get_args, get_origin

import pytest
import stripe
from stripe import params as v1
from stripe._object_classes import get_object_class
from stripe.params import billing, billing_portal, checkout
from stripe.params.v2 import core
from stripe_faking import BACK, Shop, shop

from flowchat.stripe_fake.api import CALLS
from flowchat.stripe_fake.state import API_VERSION, HIDDEN

PARAMETERS: dict[str, Any] = {
    "POST /v1/products": v1.ProductCreateParams,
    "GET /v1/products": v1.ProductListParams,
    "GET /v1/products/<id>": v1.ProductRetrieveParams,
    "POST /v1/products/<id>": v1.ProductUpdateParams,
    "POST /v1/prices": v1.PriceCreateParams,
    "GET /v1/prices": v1.PriceListParams,
    "GET /v1/prices/<id>": v1.PriceRetrieveParams,
    "POST /v1/prices/<id>": v1.PriceUpdateParams,
    "POST /v1/billing/meters": billing.MeterCreateParams,
    "GET /v1/billing/meters": billing.MeterListParams,
    "GET /v1/billing/meters/<id>": billing.MeterRetrieveParams,
    "POST /v1/billing/meters/<id>": billing.MeterUpdateParams,
    "POST /v1/billing/meters/<id>/deactivate": billing.MeterDeactivateParams,
    "POST /v1/billing/meters/<id>/reactivate": billing.MeterReactivateParams,
    "GET /v1/billing/meters/<id>/event_summaries": billing.MeterEventSummaryListParams,
    "POST /v1/billing/meter_events": billing.MeterEventCreateParams,
    "POST /v1/customers": v1.CustomerCreateParams,
    "GET /v1/customers": v1.CustomerListParams,
    "GET /v1/customers/<id>": v1.CustomerRetrieveParams,
    "POST /v1/customers/<id>": v1.CustomerUpdateParams,
    "POST /v1/checkout/sessions": checkout.SessionCreateParams,
    "GET /v1/checkout/sessions": checkout.SessionListParams,
    "GET /v1/checkout/sessions/<id>": checkout.SessionRetrieveParams,
    "GET /v1/checkout/sessions/<id>/line_items": checkout.SessionListLineItemsParams,
    "POST /v1/checkout/sessions/<id>/expire": checkout.SessionExpireParams,
    "POST /v1/billing_portal/configurations": billing_portal.ConfigurationCreateParams,
    "GET /v1/billing_portal/configurations": billing_portal.ConfigurationListParams,
    "GET /v1/billing_portal/configurations/<id>": billing_portal.ConfigurationRetrieveParams,
    "POST /v1/billing_portal/configurations/<id>": billing_portal.ConfigurationUpdateParams,
    "POST /v1/billing_portal/sessions": billing_portal.SessionCreateParams,
    "GET /v1/subscriptions": v1.SubscriptionListParams,
    "GET /v1/subscriptions/<id>": v1.SubscriptionRetrieveParams,
    "POST /v1/subscriptions/<id>": v1.SubscriptionUpdateParams,
    "DELETE /v1/subscriptions/<id>": v1.SubscriptionCancelParams,
    "GET /v1/invoices": v1.InvoiceListParams,
    "GET /v1/invoices/<id>": v1.InvoiceRetrieveParams,
    "GET /v1/invoices/<id>/lines": v1.InvoiceListLinesParams,
    "POST /v1/invoices/<id>/pay": v1.InvoicePayParams,
    "POST /v1/webhook_endpoints": v1.WebhookEndpointCreateParams,
    "GET /v1/webhook_endpoints": v1.WebhookEndpointListParams,
    "GET /v1/webhook_endpoints/<id>": v1.WebhookEndpointRetrieveParams,
    "POST /v1/webhook_endpoints/<id>": v1.WebhookEndpointUpdateParams,
    "GET /v1/events": v1.EventListParams,
    "GET /v1/events/<id>": v1.EventRetrieveParams,
    "POST /v2/core/event_destinations": core.EventDestinationCreateParams,
    "GET /v2/core/event_destinations": core.EventDestinationListParams,
    "GET /v2/core/event_destinations/<id>": core.EventDestinationRetrieveParams,
    "GET /v2/core/events": core.EventListParams,
}
WITHOUT = ("DELETE /v1/customers/<id>", "DELETE /v1/webhook_endpoints/<id>", "DELETE /v2/core/event_destinations/<id>")
KINDS = (
    "billing.meter",
    "billing.meter_event",
    "billing.meter_event_summary",
    "billing_portal.configuration",
    "billing_portal.session",
    "checkout.session",
    "customer",
    "event",
    "invoice",
    "invoice_payment",
    "item",
    "line_item",
    "plan",
    "price",
    "product",
    "subscription",
    "subscription_item",
    "v2.core.event_destination",
    "webhook_endpoint",
)


def test_the_version_is_the_library_s() -> None:
    """A new version may have other shapes: look at what has changed, then at the fake."""
    assert stripe.api_version == API_VERSION


@pytest.mark.parametrize("call", CALLS, ids=lambda call: call.name)
def test_parameters_are_stripe_s(call: Any) -> None:
    if call.name in WITHOUT or call.name == "GET /v2/core/events/<id>":
        assert call.fields.keys() <= {"expand"}
        return
    assert call.fields.keys() <= PARAMETERS[call.name].__annotations__.keys()


async def test_objects_have_the_fields_that_the_library_knows() -> None:
    async with shop() as world:
        seen: set[str] = set()
        for thing in await everything(world):
            check(thing, seen)
        assert seen == set(KINDS)


async def everything(world: Shop) -> list[Any]:
    """What the API answers of each kind, as JSON."""
    subscription = await world.subscribe()
    await world.use(1, "one")
    await world.portal()
    api, found = world.api, []
    expansions: dict[str, Any] = {
        "/v1/prices": ["data.tiers"],
        "/v1/invoices": ["data.payments"],
        "/v1/checkout/sessions": ["data.line_items"],
    }
    for path in ("products", "prices", "customers", "subscriptions", "invoices", "checkout/sessions", "events"):
        some = {"limit": 100, "expand": expansions.get(f"/v1/{path}", [])}
        found.append((await api.raw_request_async("get", f"/v1/{path}", **some)).data)
    for path in ("billing/meters", "billing_portal/configurations"):
        found.append((await api.raw_request_async("get", f"/v1/{path}")).data)
    summaries = {"customer": world.customer, "start_time": 0, "end_time": 60 * 10**8}
    path = f"/v1/billing/meters/{world.meter}/event_summaries"
    found.append((await api.raw_request_async("get", path, **summaries)).data)
    event: Any = {"event_name": "answers", "payload": {"stripe_customer_id": world.customer, "value": "1"}}
    hook: Any = {"url": BACK, "enabled_events": ["*"]}
    back: Any = {"customer": world.customer, "return_url": BACK}
    thin: Any = {
        "name": "A",
        "type": "webhook_endpoint",
        "event_payload": "thin",
        "enabled_events": ["*"],
        "webhook_endpoint": {"url": BACK},
    }
    for path, params in (
        ("/v1/billing/meter_events", event),
        ("/v1/webhook_endpoints", hook),
        ("/v1/billing_portal/sessions", back),
        ("/v2/core/event_destinations", thin),
        (f"/v1/subscriptions/{subscription}", {"cancel_at_period_end": True}),
    ):
        found.append((await api.raw_request_async("post", path, **params)).data)
    return found


def check(value: Any, seen: set[str], cls: Any = None) -> None:
    """No field that the library doesn't know, and none missing that it takes for granted."""
    if isinstance(value, list):
        for each in value:
            check(each, seen, cls)
    if not isinstance(value, dict):
        return
    name = value.get("object")
    if isinstance(name, str) and name != "list":
        cls = get_object_class("V2" if name.startswith("v2.") else "V1", name)
        seen.add(name)
    known = annotations(cls) if cls and name != "list" and cls is not stripe.StripeObject else {}
    if known:
        assert value.keys() <= known.keys(), name
        missing = {field for field, kind in known.items() if not is_optional(kind)} - value.keys() - set(HIDDEN)
        assert not missing, name
    inner = getattr(cls, "_inner_class_types", {}) if known else {}
    for field, part in value.items():
        check(part, seen, inner.get(field))


def annotations(cls: Any) -> dict[str, Any]:
    return {name: kind for name, kind in cls.__annotations__.items() if get_origin(kind) is not ClassVar}


def is_optional(kind: Any) -> bool:
    return type(None) in get_args(kind)
