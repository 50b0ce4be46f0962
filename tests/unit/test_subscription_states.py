"""What a tenant has after Stripe was asked, and what it is written."""

import itertools
from dataclasses import replace
from typing import Any

import pytest

from flowchat.billing import Plan, Subscription, standing_of, subscribe
from flowchat.net.stripe_api.customers import Item, RemoteSubscription, subscription_of
from flowchat.services.billing_emails import about
from flowchat.services.stripe_sync import chosen, merged
from flowchat.settings import Settings

START = "2026-11-10T12:00:00.000Z"
MOMENT = "2026-11-24T09:00:00.000Z"
TRIAL = Subscription(
    tenant_id="ten_1",
    plan_id="pln_trial",
    status="trialing",
    email="ann@shop.example",
    started_at="2026-11-01T00:00:00.000Z",
    trial_ends_at="2026-11-15T00:00:00.000Z",
    stripe_customer="cus_1",
)


def remote(ident: str = "sub_1", status: str = "active", created: int = 1, **fields: Any) -> RemoteSubscription:
    made = RemoteSubscription(
        id=ident,
        customer="cus_1",
        status=status,
        created=created,
        started_at=START,
        trial_ends_at=None,
        cancels_at=None,
        renews_at="2026-12-01T00:00:00.000Z",
        ended_at=MOMENT if status == "canceled" else None,
        tenant_id="ten_1",
        items=(Item("si_1", "price_1", "pln_starter", "base"),),
    )
    return replace(made, **fields)


def after(present: Subscription, found: RemoteSubscription, moment: str = MOMENT) -> Subscription:
    return merged(present, found, found.items[0].plan_id, present.email, moment)


def test_a_trial_becomes_a_subscription() -> None:
    assert after(TRIAL, remote()) == Subscription(
        tenant_id="ten_1",
        plan_id="pln_starter",
        status="active",
        email="ann@shop.example",
        started_at=START,
        renews_at="2026-12-01T00:00:00.000Z",
        billed_from=START,
        stripe_customer="cus_1",
        stripe_subscription="sub_1",
    )


@pytest.mark.parametrize("status", ["active", "trialing", "past_due", "unpaid", "paused", "canceled"])
def test_every_status_of_stripes_is_ours(status: str) -> None:
    found = after(TRIAL, remote(status=status, trial_ends_at="2026-12-01T00:00:00.000Z"))
    assert found.status == status
    assert found.trial_ends_at == ("2026-12-01T00:00:00.000Z" if status == "trialing" else None)
    assert found.past_due_at == (MOMENT if status in ("past_due", "unpaid") else None)
    assert after(found, remote(status=status, trial_ends_at="2026-12-01T00:00:00.000Z")) == found, "again: no change"


def test_since_when_a_payment_is_due() -> None:
    """From the first failure on, through all that follows, until it is paid."""
    due = after(after(TRIAL, remote()), remote(status="past_due"), "2026-12-01T01:00:00.000Z")
    still = after(due, remote(status="past_due"), "2026-12-08T01:00:00.000Z")
    unpaid = after(still, remote(status="unpaid"), "2026-12-20T01:00:00.000Z")
    assert {each.past_due_at for each in (due, still, unpaid)} == {"2026-12-01T01:00:00.000Z"}
    assert standing_of(still, "2026-12-15T00:59:00.000Z", 14).is_read_only is False
    assert standing_of(still, "2026-12-15T01:00:00.000Z", 14).is_read_only
    paid = after(unpaid, remote(), "2026-12-21T00:00:00.000Z")
    assert (paid.status, paid.past_due_at) == ("active", None)
    assert after(paid, remote(status="past_due"), MOMENT).past_due_at == MOMENT
    assert after(due, remote("sub_2", status="past_due"), MOMENT).past_due_at == MOMENT, "another one's first failure"


def test_cancelling() -> None:
    """At the end of a period first, then for good."""
    ends = "2026-12-01T00:00:00.000Z"
    announced = after(after(TRIAL, remote()), remote(cancels_at=ends, renews_at=None))
    assert (announced.status, announced.cancels_at, announced.renews_at) == ("active", ends, None)
    over = after(announced, remote(status="canceled", ended_at=ends))
    assert (over.status, over.cancels_at, over.renews_at, over.billed_from) == ("canceled", ends, None, START)


def test_what_is_over_ends_nothing_newer() -> None:
    """Such as a plan that an operator gave afterwards; but it ends a trial from before."""
    over = remote(status="canceled", ended_at="2026-11-20T00:00:00.000Z")
    given = subscribe("ten_1", Plan(id="pln_given", slug="given", name="Given"), after(TRIAL, over), MOMENT)
    assert (given.status, given.plan_id, given.stripe_subscription) == ("active", "pln_given", None)
    assert after(given, over) == given
    assert after(TRIAL, over).status == "canceled"
    newer = after(TRIAL, remote("sub_2"))
    assert after(newer, over).status == "canceled", "so the newer one has to be chosen: see below"


def test_usage_is_billed_from_a_subscriptions_beginning() -> None:
    first = after(TRIAL, remote())
    assert after(first, remote(started_at="2026-11-12T00:00:00.000Z")).billed_from == START, "never later"
    assert after(first, remote(started_at="2026-11-09T00:00:00.000Z")).billed_from == "2026-11-09T00:00:00.000Z"
    second = after(first, remote("sub_2", started_at="2026-11-12T00:00:00.000Z"))
    assert second.billed_from == "2026-11-12T00:00:00.000Z"


@pytest.mark.parametrize(
    ("found", "wanted"),
    [
        ([], None),
        ([remote(status="incomplete")], None),
        ([remote(status="incomplete_expired"), remote("sub_2", "incomplete", 2)], None),
        ([remote(status="canceled"), remote("sub_2", "incomplete", 2)], "sub_1"),
        ([remote(), remote("sub_2", "canceled", 2)], "sub_1"),
        ([remote(status="canceled"), remote("sub_2", "active", 2)], "sub_2"),
        ([remote(status="canceled"), remote("sub_2", "canceled", 2)], "sub_2"),
        ([remote(), remote("sub_2", "past_due", 2)], "sub_1"),
        ([remote(status="unpaid"), remote("sub_2", "past_due", 2), remote("sub_3", "canceled", 3)], "sub_2"),
        ([remote(), remote("sub_2", "trialing", 2)], "sub_2"),
        ([remote(), remote("sub_2", created=2, tenant_id="", items=(Item("si_2", "price_2", "", ""),))], "sub_1"),
        ([remote(tenant_id="", items=())], None),
        ([remote(tenant_id="")], "sub_1"),
        ([remote(items=())], "sub_1"),
        ([remote("sub_b"), remote("sub_a")], "sub_b"),
    ],
)
def test_which_of_several(found: list[RemoteSubscription], wanted: str | None) -> None:
    for order in itertools.permutations(found):
        best = chosen(order)
        assert (best.id if best else None) == wanted


def test_any_order_of_looks_ends_the_same() -> None:
    """A look shows what there is at some moment; all that matters is that the last one is last."""
    history = [
        [remote(status="incomplete")],
        [remote()],
        [remote(status="past_due")],
        [remote(status="past_due"), remote("sub_2", "active", 2)],
        [remote(status="canceled", ended_at=MOMENT), remote("sub_2", "active", 2)],
        [remote(status="canceled", ended_at=MOMENT), remote("sub_2", "canceled", 2, ended_at=MOMENT)],
    ]
    for last in range(len(history)):
        ends = set()
        for seen in itertools.product((False, True), repeat=last):
            present = TRIAL
            for found in [*itertools.compress(history, seen), history[last]]:
                best = chosen(found)
                present = after(present, best) if best else present
            ends.add(present)
        assert len(ends) == 1, history[last]


STRIPES = {
    "id": "sub_1",
    "customer": "cus_1",
    "status": "active",
    "created": 1_795_000_000,
    "start_date": 1_795_000_000,
    "trial_end": None,
    "cancel_at": None,
    "cancel_at_period_end": False,
    "ended_at": None,
    "metadata": {"flowchat_tenant": "ten_1"},
    "items": {
        "data": [
            {
                "id": "si_1",
                "current_period_end": 1_796_083_200,
                "price": {"id": "price_1", "product": "prod_1", "metadata": {"flowchat_plan": "pln_1"}},
            }
        ]
    },
}


def test_what_stripe_says() -> None:
    found = subscription_of(STRIPES)
    assert (found.id, found.customer, found.tenant_id, found.items[0].plan_id) == ("sub_1", "cus_1", "ten_1", "pln_1")
    assert (found.started_at, found.renews_at) == ("2026-11-18T11:06:40.000Z", "2026-12-01T00:00:00.000Z")
    assert (found.trial_ends_at, found.cancels_at, found.ended_at) == (None, None, None)
    leaving = subscription_of({**STRIPES, "cancel_at_period_end": True})
    assert (leaving.cancels_at, leaving.renews_at) == ("2026-12-01T00:00:00.000Z", None)
    assert subscription_of({**STRIPES, "cancel_at": 1_796_000_000}).cancels_at == "2026-11-30T00:53:20.000Z"
    assert subscription_of({**STRIPES, "metadata": None}).tenant_id == ""


def test_a_plan_by_its_product() -> None:
    """Somebody made a price of their own for it."""
    price = {"id": "price_2", "product": "flowchat_pln_2", "metadata": {}}
    item = {"id": "si_1", "current_period_end": None, "price": price}
    found = subscription_of({**STRIPES, "items": {"data": [item]}})
    assert (found.plan_id, found.items[0].role, found.renews_at) == ("pln_2", "", None)
    other = {**item, "price": {**price, "product": "prod_other"}}
    assert subscription_of({**STRIPES, "items": {"data": [other]}}).plan_id == ""


SETTINGS = Settings(public_url="https://chat.example.com", past_due_days=14)


def subject(before: Subscription | None, now_has: Subscription) -> str | None:
    letter = about(before, now_has, "Shop", "Starter", MOMENT, SETTINGS)
    return letter.subject if letter else None


def test_what_is_written() -> None:
    active = after(TRIAL, remote())
    due = after(active, remote(status="past_due"))
    unpaid = after(due, remote(status="unpaid"))
    over = after(active, remote(status="canceled"))
    assert subject(TRIAL, active) == subject(None, active) == "Shop has the plan Starter now"
    assert subject(over, after(over, remote("sub_2"))) == "Shop has the plan Starter now"
    assert subject(active, due) == "A payment for Shop has failed"
    assert subject(due, unpaid) == subject(active, unpaid) == "Shop can only be read now"
    assert subject(due, active) == subject(unpaid, active) == "The payment for Shop has arrived"
    assert subject(active, after(active, remote(status="paused"))) == "The subscription of Shop is paused"
    assert subject(active, over) == subject(due, over) == "The subscription of Shop has ended"
    for same in (active, due, unpaid, over):
        assert subject(same, same) is None
    assert subject(active, replace(active, renews_at="2027-01-01T00:00:00.000Z", plan_id="pln_large")) is None


def test_a_failed_payment_tells_the_day() -> None:
    active = after(TRIAL, remote())
    letter = about(active, after(active, remote(status="past_due")), "Shop", "Starter", MOMENT, SETTINGS)
    assert letter and "Until 2026-12-08 everything goes on" in letter.body
    assert "https://chat.example.com/admin/billing" in letter.body
