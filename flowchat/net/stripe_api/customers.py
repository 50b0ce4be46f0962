"""Customers: one for each tenant that subscribes, with what it has subscribed to."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from flowchat.net.stripe_api.catalog import MISSING
from flowchat.net.stripe_api.client import Refused, Stripe, failures
from flowchat.net.stripe_api.times import moment_of

# Every period begins with a month (UTC), so that what is included in a month means the same to Stripe.
_PRODUCT = "flowchat_"  # a plan's product has its id with this before it
_FIRST_OF_MONTH = {"day_of_month": 1, "hour": 0, "minute": 0, "second": 0}


@dataclass(frozen=True, slots=True)
class Item:
    """A price that is subscribed to. `plan_id`: of the plan that it, or its product, is for. `role`: what FlowChat made
    it for; '' for a price that somebody else made.
    """

    id: str
    price_id: str
    plan_id: str
    role: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoteSubscription:
    """A customer's subscription as Stripe has it. `status` is Stripe's word; times are RFC 3339.

    `tenant_id` is the one that it was made for, as its metadata says; '' where nothing is said.
    """

    id: str
    customer: str
    status: str
    created: int
    started_at: str
    trial_ends_at: str | None
    cancels_at: str | None
    renews_at: str | None
    ended_at: str | None
    tenant_id: str
    items: tuple[Item, ...]

    @property
    def plan_id(self) -> str:
        """Of the plan that its prices are of; '' if they are of none."""
        return next((item.plan_id for item in self.items if item.plan_id), "")


async def create(stripe: Stripe, tenant_id: str, name: str, email: str, former: str = "") -> str:
    """Returns its id. The same one for a day, if it is asked for again in place of the same `former` one."""
    params: Any = {"name": name, "metadata": {"flowchat_tenant": tenant_id}} | ({"email": email} if email else {})
    about = hashlib.sha256(f"{name}\n{email}\n{former}".encode()).hexdigest()[:16]
    with failures():
        made = await stripe.api.v1.customers.create_async(
            params, {"idempotency_key": f"flowchat-customer-{tenant_id}-{about}"}
        )
    return made.id


async def exists(stripe: Stripe, customer: str) -> bool:
    """Not, where it was deleted, or belongs to another account."""
    try:
        with failures():
            found = (await stripe.api.v1.customers.retrieve_async(customer)).to_dict()
    except Refused as refused:
        if refused.stripe_code != MISSING:
            raise
        return False
    return not found.get("deleted")


async def email(stripe: Stripe, customer: str) -> str:
    """'' where there is none."""
    with failures():
        found = (await stripe.api.v1.customers.retrieve_async(customer)).to_dict()
    return str(found.get("email") or "").lower()


async def subscriptions(stripe: Stripe, customer: str, known: str | None = None) -> list[RemoteSubscription]:
    """All that the customer has or had; none where there is no such customer.

    `known`: one of them, which Stripe still shows when the customer is deleted.
    """
    found: list[RemoteSubscription] = []
    try:
        with failures():
            listed = await stripe.api.v1.subscriptions.list_async({"customer": customer, "status": "all", "limit": 100})
            found = [subscription_of(one.to_dict()) async for one in listed.auto_paging_iter()]
    except Refused as refused:
        if refused.stripe_code != MISSING:
            raise
    if found or known is None:
        return found
    with failures():
        return [subscription_of((await stripe.api.v1.subscriptions.retrieve_async(known)).to_dict())]


def subscription_of(fields: dict[str, Any]) -> RemoteSubscription:
    """One as Stripe's API shows it."""
    items = fields["items"]["data"]
    ends = [item["current_period_end"] for item in items if item.get("current_period_end")]
    renews = max(ends, default=None)
    cancels = fields.get("cancel_at") or (renews if fields.get("cancel_at_period_end") else None)
    return RemoteSubscription(
        id=fields["id"],
        customer=fields["customer"],
        status=fields["status"],
        created=fields["created"],
        started_at=moment_of(fields["start_date"]),
        trial_ends_at=_moment(fields.get("trial_end")),
        cancels_at=_moment(cancels),
        renews_at=None if cancels else _moment(renews),
        ended_at=_moment(fields.get("ended_at")),
        tenant_id=(fields.get("metadata") or {}).get("flowchat_tenant", ""),
        items=tuple(_item(item) for item in items),
    )


def _moment(unix: int | None) -> str | None:
    return moment_of(unix) if unix else None


def _item(fields: dict[str, Any]) -> Item:
    price = fields["price"]
    told, product = price.get("metadata") or {}, price["product"]
    plan_id = told.get("flowchat_plan") or (product.removeprefix(_PRODUCT) if product.startswith(_PRODUCT) else "")
    return Item(fields["id"], price["id"], plan_id, told.get("flowchat_role", ""))


async def checkout_url(
    stripe: Stripe,
    customer: str,
    prices: Mapping[str, str],
    *,
    success_url: str,
    cancel_url: str,
    metadata: dict[str, str],
) -> str:
    """Where the customer subscribes to the prices, given by their roles: the monthly fee, and what is metered."""
    items = [{"price": price} | ({"quantity": 1} if role == "base" else {}) for role, price in prices.items()]
    params: Any = {
        "mode": "subscription",
        "customer": customer,
        "client_reference_id": metadata["flowchat_tenant"],
        "line_items": items,
        "success_url": success_url,
        "cancel_url": cancel_url,
        "metadata": metadata,
        "subscription_data": {"billing_cycle_anchor_config": _FIRST_OF_MONTH, "metadata": metadata},
    }
    with failures():
        made = await stripe.api.v1.checkout.sessions.create_async(params)
    return made.url or ""


async def expire_checkouts(stripe: Stripe, customer: str) -> None:
    """Pages that are open can't be paid any more."""
    with failures():
        listed = await stripe.api.v1.checkout.sessions.list_async({"customer": customer, "status": "open"})
        for session in listed.data:
            await stripe.api.v1.checkout.sessions.expire_async(session.id)


async def portal_url(stripe: Stripe, customer: str, return_url: str) -> str:
    """Where the customer sees invoices, pays, and cancels."""
    params: Any = {"customer": customer, "return_url": return_url}
    with failures():
        return (await stripe.api.v1.billing_portal.sessions.create_async(params)).url


async def cancel(stripe: Stripe, subscription: str) -> None:
    """At once, with an invoice for what was used. One that is over already stays so."""
    try:
        with failures():
            await stripe.api.v1.subscriptions.cancel_async(subscription, {"invoice_now": True})
    except Refused as refused:
        if refused.stripe_code != MISSING:
            raise


async def change_prices(stripe: Stripe, present: RemoteSubscription, prices: Mapping[str, str]) -> None:
    """Put prices, by their roles, in place of FlowChat's own of a subscription. What is paid for is prorated."""
    params: Any = {"items": changed_items(present.items, prices), "proration_behavior": "create_prorations"}
    with failures():
        await stripe.api.v1.subscriptions.update_async(present.id, params)


def changed_items(present: Sequence[Item], prices: Mapping[str, str]) -> list[dict[str, Any]]:
    """What to tell Stripe of a subscription's items so that it has these prices."""
    added = dict(prices)
    items: list[dict[str, Any]] = []
    for item in present:
        if not item.role:
            continue
        price = added.pop(item.role, None)
        items.append({"id": item.id, "price": price} if price else {"id": item.id, "deleted": True})
    return items + [{"price": price} for price in added.values()]
