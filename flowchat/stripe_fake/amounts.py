"""What a price makes of a quantity or of a part of a period, in whole coins; and the lines of invoices about it."""

from collections.abc import Iterator
from decimal import ROUND_HALF_UP, Decimal

from flowchat.stripe_fake.state import Json, new_id


def amount(price: Json, quantity: int) -> int:
    """Rounded to a whole coin, half up."""
    if price["billing_scheme"] == "tiered":
        return _whole(sum(_tier_amounts(price["tiers"], quantity), Decimal(0)))
    return _whole(Decimal(price["unit_amount_decimal"]) * quantity)


def _tier_amounts(tiers: list[Json], quantity: int) -> Iterator[Decimal]:
    """Graduated: each tier has its price for what is within it."""
    below = 0
    for tier in tiers:
        within = (quantity if tier["up_to"] is None else min(quantity, tier["up_to"])) - below
        if within <= 0:
            return
        yield Decimal(tier["unit_amount_decimal"] or 0) * within + Decimal(tier["flat_amount_decimal"] or 0)
        below += within


def prorated(full: int, used: int, whole: int) -> int:
    """The part of an amount that is for so many seconds of a period."""
    return _whole(Decimal(full) * used / whole)


def _whole(exact: Decimal) -> int:
    return int(exact.quantize(Decimal(1), ROUND_HALF_UP))


def line(
    item: Json,
    price: Json,
    quantity: int,
    cost: int,
    period: tuple[int, int],
    text: str = "",
    *,
    proration: bool = False,
) -> Json:
    """Of an invoice, about an item of a subscription at a price."""
    return {
        "id": new_id("il"),
        "object": "line_item",
        "amount": cost,
        "currency": price["currency"],
        "description": text or f"{quantity} of {price['nickname'] or price['product']}",
        "discount_amounts": [],
        "discountable": True,
        "discounts": [],
        "invoice": None,
        "livemode": False,
        "metadata": {},
        "parent": {
            "invoice_item_details": None,
            "subscription_item_details": {
                "invoice_item": None,
                "proration": proration,
                "proration_details": {"credited_items": None} if proration else None,
                "subscription": item["subscription"],
                "subscription_item": item["id"],
            },
            "type": "subscription_item_details",
        },
        "period": {"end": period[1], "start": period[0]},
        "pretax_credit_amounts": [],
        "pricing": {
            "price_details": {"price": price["id"], "product": price["product"]},
            "type": "price_details",
            "unit_amount_decimal": price["unit_amount_decimal"],
        },
        "quantity": quantity,
        "quantity_decimal": str(quantity),
        "subscription": item["subscription"],
        "subtotal": cost,
        "taxes": [],
    }
