"""What happens by itself when its time has come: periods end, invoices are finalized, payments tried again."""

from collections.abc import Callable, Iterator
from functools import partial

from flowchat.stripe_fake import checkout, dunning, invoices, meter_events
from flowchat.stripe_fake.state import Json, State, Usage
from flowchat.stripe_fake.subscribing import (
    lines_in_advance,
    open_usage,
    period_of,
    take_pending,
    whole_period,
)
from flowchat.stripe_fake.subscriptions import ENDED

Due = tuple[int, Callable[[], object]]  # when, and what then


def catch_up(state: State) -> None:
    """All that was due until now, each at its moment."""
    _run_until(state, state.now())


def advance(state: State, seconds: float) -> None:
    """Move the clock forward, through all that is due meanwhile."""
    catch_up(state)
    moment = state.now() + seconds
    _run_until(state, moment)
    state.clock.set(moment)


def _run_until(state: State, moment: float) -> None:
    while due := min((each for each in _due(state) if each[0] <= moment), key=lambda each: each[0], default=None):
        at, happen = due
        with state.clock.at(at):
            happen()


def _due(state: State) -> Iterator[Due]:
    """In the order in which what is due at the same moment happens."""
    for event in state.unreported[:1]:
        yield event.counted_at, partial(meter_events.report_errors, state)
    for session in state.all("checkout.session"):
        if session["status"] == "open":
            yield session["expires_at"], partial(checkout.expire, state, session)
    for invoice in state.all("invoice"):
        if invoice["status"] == "draft" and invoice["automatically_finalizes_at"]:
            yield invoice["automatically_finalizes_at"], partial(invoices.finalize, state, invoice)
        if invoice["status"] == "open" and invoice["next_payment_attempt"]:
            yield invoice["next_payment_attempt"], partial(invoices.collect, state, invoice)
    for subscription in state.all("subscription"):
        if subscription["status"] not in ENDED:
            yield _next_end(subscription), partial(_end_period, state, subscription)


def _next_end(subscription: Json) -> int:
    """Of its period, or of all."""
    end = period_of(subscription)[1]
    return min(end, subscription["cancel_at"] or end)


def _end_period(state: State, subscription: Json) -> None:
    start, _ = period_of(subscription)
    now = state.now()
    usage = open_usage(state, subscription, now)
    pending = take_pending(state, subscription)
    if subscription["cancel_at"] and subscription["cancel_at"] <= now:
        if usage or pending:
            _draft(state, subscription, pending, usage, (start, now))
        dunning.cancel(state, subscription, "cancellation_requested")
        return
    period = whole_period(subscription, now)
    with state.changing(subscription, "customer.subscription.updated"):
        for item in subscription["items"]["data"]:
            item.update(current_period_start=period[0], current_period_end=period[1])
        usage_from = state.ledgers[subscription["id"]].usage_from
        usage_from.update(dict.fromkeys(usage_from, now))
        lines = pending + lines_in_advance(subscription, period, period)
        _draft(state, subscription, lines, usage, (start, now))


def _draft(state: State, subscription: Json, lines: list[Json], usage: list[Usage], period: tuple[int, int]) -> None:
    """It takes late usage in for a while. Nothing is collected of who hasn't paid for so long that it was given up."""
    invoice = invoices.draft(state, subscription, "subscription_cycle", lines, usage, period)
    subscription["latest_invoice"] = invoice["id"]
    if subscription["status"] == "unpaid":
        invoice["auto_advance"] = False
    else:
        invoice["automatically_finalizes_at"] = state.now() + state.behaviour.finalize_after_s
