"""How a subscription begins, what its items are, and what of a period is billed."""

from copy import deepcopy

from flowchat.stripe_fake import amounts, invoices, periods, shapes
from flowchat.stripe_fake.refusals import Refusal
from flowchat.stripe_fake.state import Json, Ledger, State, Usage

Period = tuple[int, int]  # start and end, which is no longer part of it


def start(
    state: State, customer: str, wanted: list[Json], *, anchor: int | None, prorates: bool, metadata: dict[str, str]
) -> Json:
    """Subscribe to prices, each with a quantity unless it is metered; what is due for the first period is billed.

    With an anchor in the future, the first period ends there and costs only its part, or nothing.
    """
    now, first = state.now(), wanted[0]["price"]
    subscription = shapes.subscription(customer, first["currency"], anchor or now, metadata, now)
    period, whole = first_period(anchor, first["recurring"], now)
    state.ledgers[subscription["id"]] = Ledger()
    for each in wanted:
        add_item(state, subscription, each["price"], each.get("quantity"), {}, period)
    state.emit("customer.subscription.created", state.add("subscription", subscription))
    is_free = period != whole and not prorates
    lines = lines_in_advance(subscription, period, whole, is_free=is_free)
    bill(state, subscription, "subscription_create", lines, [], (now, now))
    return subscription


def first_period(anchor: int | None, recurring: Json, now: int) -> tuple[Period, Period]:
    """The one that a subscription begins with, and the whole one that it is part of."""
    whole = periods.around(anchor or now, recurring, now)
    return ((now, whole[1]) if anchor and anchor > now else whole), whole


def add_item(
    state: State, subscription: Json, price: Json, quantity: int | None, metadata: dict[str, str], period: Period
) -> Json:
    item = shapes.item(subscription["id"], price, metadata, period, state.now())
    if price["recurring"]["usage_type"] == "metered":
        state.ledgers[subscription["id"]].usage_from[item["id"]] = state.now()
    else:
        item["quantity"] = 1 if quantity is None else quantity
    subscription["items"]["data"].append(item)
    return item


def lines_in_advance(subscription: Json, period: Period, whole: Period, *, is_free: bool = False) -> list[Json]:
    items = subscription["items"]["data"]
    return [line for item in items if (line := line_in_advance(item, period, whole, is_free=is_free))]


def line_in_advance(item: Json, period: Period, whole: Period, *, is_free: bool = False) -> Json | None:
    """Of an item that is paid before its period, or the part of it that is left; None: it is metered."""
    price, quantity = item["price"], item.get("quantity")
    if quantity is None:
        return None
    full = 0 if is_free else amounts.amount(price, quantity)
    cost = amounts.prorated(full, period[1] - period[0], whole[1] - whole[0])
    return amounts.line(item, price, quantity, cost, period, proration=period != whole)


def bill(state: State, subscription: Json, reason: str, lines: list[Json], usage: list[Usage], period: Period) -> Json:
    """An invoice that is finalized at once."""
    invoice = invoices.draft(state, subscription, reason, lines, usage, period)
    subscription["latest_invoice"] = invoice["id"]
    invoices.finalize(state, invoice)
    return invoice


def period_of(subscription: Json) -> Period:
    """The present one; all items have the same."""
    item = subscription["items"]["data"][0]
    return item["current_period_start"], item["current_period_end"]


def whole_period(subscription: Json, moment: int) -> Period:
    """The one that the moment is in, also where the subscription has begun within it."""
    recurring = subscription["items"]["data"][0]["price"]["recurring"]
    return periods.around(subscription["billing_cycle_anchor"], recurring, moment)


def take_pending(state: State, subscription: Json) -> list[Json]:
    """The lines that wait for the next invoice."""
    ledger = state.ledgers[subscription["id"]]
    pending, ledger.pending = ledger.pending, []
    return pending


def open_usage(state: State, subscription: Json, until: int) -> list[Usage]:
    """Of all metered items, since it was last billed."""
    usage_from = state.ledgers[subscription["id"]].usage_from
    return [
        Usage(deepcopy(item), usage_from[item["id"]], until)
        for item in subscription["items"]["data"]
        if item["id"] in usage_from
    ]


def wanted_price(state: State, params: Json, param: str, others: list[Json]) -> Json:
    """A price to subscribe to, as a parameter names it, beside others. Raises Refusal."""
    price = state.get("price", params["price"], param=f"{param}[price]", status=400)
    problem = _problem(price, "quantity" in params, param) or next(filter(None, (_clash(price, o) for o in others)), "")
    if problem:
        raise Refusal(problem, param=f"{param}[price]")
    return price


def _problem(price: Json, has_quantity: bool, param: str) -> str:
    if not price["active"]:
        return "The price specified is inactive. This field only accepts active prices."
    if price["recurring"] is None:
        return "The price specified is set to `type=one_time` but this field only accepts prices with `type=recurring`."
    if has_quantity and price["recurring"]["usage_type"] == "metered":
        return f"Quantity should not be specified where usage_type is `metered`. Remove quantity from `{param}`"
    return ""


def _clash(price: Json, other: Json) -> str:
    if other["id"] == price["id"]:
        return f"There is already an item with the price {price['id']}."
    same = all(other["recurring"][name] == price["recurring"][name] for name in ("interval", "interval_count"))
    if not same or other["currency"] != price["currency"]:
        return "In the fake of Stripe, all prices of a subscription have the same interval and currency."
    return ""
