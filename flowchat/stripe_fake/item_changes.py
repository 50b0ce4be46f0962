"""Changes of a subscription's items: what goes is credited for the rest of the period, what comes is charged for it."""

from dataclasses import dataclass

from flowchat.stripe_fake import amounts, invoices
from flowchat.stripe_fake.fields import merged
from flowchat.stripe_fake.refusals import Refusal, missing
from flowchat.stripe_fake.state import Json, Ledger, State
from flowchat.stripe_fake.subscribing import (
    Period,
    add_item,
    bill,
    line_in_advance,
    period_of,
    take_pending,
    wanted_price,
    whole_period,
)


@dataclass(frozen=True, slots=True)
class _Change:
    """`old` None: an item comes; `price` None: it goes."""

    old: Json | None
    price: Json | None
    quantity: int | None
    metadata: dict[str, str] | None

    @property
    def is_of_metadata_only(self) -> bool:
        old, price = self.old, self.price
        is_same = old is not None and price is not None and old["price"]["id"] == price["id"]
        return is_same and self.quantity in (None, (old or {}).get("quantity"))


def apply(state: State, subscription: Json, wanted: list[Json], proration: str) -> None:
    """Raises Refusal before anything is changed."""
    whole = whole_period(subscription, state.now())
    for change in _understood(state, subscription, wanted):
        if change.is_of_metadata_only and change.old:
            change.old["metadata"] = merged(change.old["metadata"], change.metadata)
        else:
            _carry_out(state, subscription, change, whole, prorates=proration != "none")
    if proration == "always_invoice":
        pending = take_pending(state, subscription)
        bill(state, subscription, "subscription_update", pending, [], (state.now(), state.now()))


def _understood(state: State, subscription: Json, wanted: list[Json]) -> list[_Change]:
    known = {item["id"]: item for item in subscription["items"]["data"]}
    for place, each in enumerate(wanted):
        if "id" in each and each["id"] not in known:
            raise missing("subscription_item", each["id"], param=f"items[{place}][id]", status=400)
    touched = {each["id"] for each in wanted if "id" in each}
    prices = [item["price"] for item in known.values() if item["id"] not in touched]
    changes = []
    for place, each in enumerate(wanted):
        old = known.get(each.get("id", ""))
        price = None if each.get("deleted") else _price(state, each, old, f"items[{place}]", prices)
        prices += [price] if price else []
        quantity = each.get("quantity", old.get("quantity") if old and price else None)
        changes.append(_Change(old, price, quantity, each.get("metadata")))
    if not prices:
        raise Refusal("A subscription must have at least one item: cancel it instead.", param="items")
    return changes


def _price(state: State, wanted: Json, old: Json | None, param: str, others: list[Json]) -> Json:
    if "price" not in wanted and old is None:
        raise Refusal(f"Missing required param: {param}[price].", code="parameter_missing", param=f"{param}[price]")
    if old and wanted.get("price", old["price"]["id"]) == old["price"]["id"]:
        price: Json = old["price"]  # which may be one that is no longer active
        return price
    return wanted_price(state, wanted, param, others)


def _carry_out(state: State, subscription: Json, change: _Change, whole: Period, *, prorates: bool) -> None:
    items, ledger = subscription["items"]["data"], state.ledgers[subscription["id"]]
    period = period_of(subscription)
    rest = (state.now(), period[1])
    place = items.index(change.old) if change.old else len(items)
    if change.old:
        ledger.pending += _closing_lines(state, subscription, change.old, rest, whole, prorates=prorates)
    if change.price:
        item = add_item(state, subscription, change.price, change.quantity, change.metadata or {}, period)
        if prorates and (line := line_in_advance(item, rest, whole)):
            ledger.pending.append(line)
        if change.old:
            items[place] = items.pop()
            _keep_id(ledger, item, change.old)
    else:
        del items[place]


def _closing_lines(
    state: State, subscription: Json, old: Json, rest: Period, whole: Period, *, prorates: bool
) -> list[Json]:
    """Usage so far at the old price, or a credit."""
    price, begun = old["price"], state.ledgers[subscription["id"]].usage_from.pop(old["id"], None)
    if begun is not None:
        quantity = invoices.usage_quantity(state, subscription["customer"], price, begun, rest[0])
        return [amounts.line(old, price, quantity, amounts.amount(price, quantity), (begun, rest[0]))]
    if not prorates:
        return []
    credit = -amounts.prorated(amounts.amount(price, old["quantity"]), rest[1] - rest[0], whole[1] - whole[0])
    text = f"Unused time on {price['nickname'] or price['product']}"
    return [amounts.line(old, price, old["quantity"], credit, rest, text, proration=True)]


def _keep_id(ledger: Ledger, item: Json, old: Json) -> None:
    """An item that gets another price stays the same item."""
    begun = ledger.usage_from.pop(item["id"], None)
    item.update(id=old["id"], created=old["created"], metadata=merged(old["metadata"], item["metadata"] or None))
    if begun is not None:
        ledger.usage_from[item["id"]] = begun
