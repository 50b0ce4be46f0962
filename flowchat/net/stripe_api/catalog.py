"""Products and prices."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from flowchat.net.stripe_api.client import Refused, Stripe, failures

MISSING = "resource_missing"
_MOST_LOOKUP_KEYS = 10  # in one request


@dataclass(frozen=True, slots=True)
class Product:
    id: str
    name: str
    description: str
    is_active: bool


@dataclass(frozen=True, slots=True)
class Price:
    """One that is active, with the fingerprint of its terms. `meter_id`: what it counts; None: it is a monthly fee."""

    id: str
    lookup_key: str
    fingerprint: str
    meter_id: str | None


async def product(stripe: Stripe, product_id: str) -> Product | None:
    try:
        with failures():
            found = (await stripe.api.v1.products.retrieve_async(product_id)).to_dict()
    except Refused as refused:
        if refused.stripe_code != MISSING:
            raise
        return None
    return Product(found["id"], found["name"], found.get("description") or "", found.get("active", True))


async def create_product(stripe: Stripe, wanted: Product, plan_id: str) -> None:
    params: Any = {"id": wanted.id, "name": wanted.name, "metadata": {"flowchat_plan": plan_id}}
    if wanted.description:
        params["description"] = wanted.description
    with failures():
        await stripe.api.v1.products.create_async(params)


async def update_product(stripe: Stripe, wanted: Product) -> None:
    params: Any = {"name": wanted.name, "description": wanted.description, "active": wanted.is_active}
    with failures():
        await stripe.api.v1.products.update_async(wanted.id, params)


async def prices(stripe: Stripe, lookup_keys: Sequence[str]) -> dict[str, Price]:
    """Those that are active, by their lookup keys."""
    found: dict[str, Price] = {}
    for start in range(0, len(lookup_keys), _MOST_LOOKUP_KEYS):
        wanted = list(lookup_keys[start : start + _MOST_LOOKUP_KEYS])
        with failures():
            listed = await stripe.api.v1.prices.list_async({"lookup_keys": wanted, "active": True, "limit": 100})
        for price in listed.data:
            fields = price.to_dict()
            recurring = fields.get("recurring") or {}
            found[fields["lookup_key"]] = Price(
                fields["id"],
                fields["lookup_key"],
                (fields.get("metadata") or {}).get("flowchat_terms", ""),
                recurring.get("meter"),
            )
    return found


async def create_price(
    stripe: Stripe,
    *,
    product_id: str,
    lookup_key: str,
    nickname: str,
    terms: dict[str, Any],
    metadata: dict[str, str],
    meter_id: str | None,
) -> str:
    """A monthly one, which takes the lookup key over from whichever has it; returns its id."""
    recurring = {"interval": "month", "usage_type": "metered" if meter_id else "licensed"}
    if meter_id:
        recurring["meter"] = meter_id
    params: Any = {
        **terms,
        "product": product_id,
        "nickname": nickname,
        "lookup_key": lookup_key,
        "transfer_lookup_key": True,
        "recurring": recurring,
        "metadata": metadata,
    }
    with failures():
        return (await stripe.api.v1.prices.create_async(params)).id


async def deactivate_price(stripe: Stripe, price_id: str) -> None:
    """Nobody can subscribe to it any more; who has, keeps it."""
    with failures():
        await stripe.api.v1.prices.update_async(price_id, {"active": False})
