"""Compares the usage ledger, the outbox and Stripe's meters, hour by hour, and settles what is parked.

Of a parked event nobody knows whether Stripe has taken it. Stripe's sum of its hour tells: what is in the sum beyond
the events that were delivered must be some of the parked ones, and the others are not there.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from itertools import chain, combinations
from typing import Annotated, Literal, TypeAlias

import msgspec

from flowchat.billing import METRICS, MeterEvent, Metric, after_days
from flowchat.domain import Actor, now
from flowchat.errors import Conflict
from flowchat.net.stripe_api import meters
from flowchat.net.stripe_api.catalog import MISSING
from flowchat.net.stripe_api.client import Refused, Stripe, connect
from flowchat.services.context import Context
from flowchat.services.metering import OLDEST_DAYS, Reporter, is_too_old, seal
from flowchat.services.operations import operation
from flowchat.store import audit_log, meter_events, restores
from flowchat.store.database import Connection
from flowchat.store.meter_events import HourSum

LineState = Literal["agrees", "waiting", "parked", "differs"]
COMPARE_AFTER_S = 180  # from an hour's end: by then it is in the outbox
SUMMED_AFTER_S = 15 * 60  # Stripe's sums come with a delay
MOST_PARKED = 12  # of one tenant, metric and hour: each can be in Stripe's sum or not
AT_ONCE = 8  # questions to Stripe

Hour: TypeAlias = tuple[str, Metric, str]  # of a tenant and a metric
Sums: TypeAlias = dict[Hour, int]


class Reconciling(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Whether to only look, or to settle what is parked, too."""

    apply: Annotated[
        bool,
        msgspec.Meta(
            description="true: parked events that Stripe has become delivered, and those that it has not are sent anew."
        ),
    ] = False


@dataclass(frozen=True, slots=True)
class Line:
    """One hour of a tenant and a metric in which not all is as it should be, or that is not over yet."""

    slug: str
    sums: HourSum
    stripe: int

    @property
    def state(self) -> LineState:
        sums = self.sums
        if sums.parked:
            return "parked"
        if sums.ledger != sums.delivered + sums.pending + sums.dropped:
            return "differs"
        if not sums.delivered - sums.fresh <= self.stripe <= sums.delivered + sums.pending:
            return "differs"
        return "agrees" if self.stripe == sums.delivered and not sums.pending else "waiting"


@dataclass(frozen=True, slots=True)
class Settled:
    """What became of parked events: Stripe had it, it is sent anew, it is too old for that, or nobody can tell yet."""

    delivered: int = 0
    sent_again: int = 0
    dropped: int = 0
    undecided: int = 0

    def __add__(self, other: "Settled") -> "Settled":
        return Settled(
            self.delivered + other.delivered,
            self.sent_again + other.sent_again,
            self.dropped + other.dropped,
            self.undecided + other.undecided,
        )


@dataclass(frozen=True, slots=True)
class Reconciliation:
    """`compared` hours of tenants and metrics from `first` on; `lines` are those that don't simply agree."""

    first: str
    compared: int
    lines: tuple[Line, ...]
    settled: Settled

    @property
    def differences(self) -> int:
        return sum(line.state in ("parked", "differs") for line in self.lines)


@operation("billing.reconcile", "operator")
async def reconcile(app: Context, actor: Actor, request: Reconciling) -> Reconciliation:
    """Compare the usage ledger, the outbox and Stripe, hour by hour, over the time for which Stripe takes usage.

    With `apply`, usage that is in no event yet gets one, each parked event is settled by what Stripe has of its hour,
    and all that is on its way is sent at once. It may be called as often as one likes.

    Raises Conflict `not_billed` and `outboxes_held`, and FlowChatError `stripe_unavailable`, `stripe_unanswered` and
    `stripe_refused`.
    """
    if request.apply and await restores.held(app.db) is not None:
        message = "The database was restored from a backup, and nothing is sent: release the outboxes first."
        raise Conflict("outboxes_held", message)
    async with connect(app.settings) as stripe:
        settled = Settled()
        if request.apply:
            await seal(app)
            settled = await _settle(app, stripe)
            await app.db.write(lambda conn: meter_events.hurry(conn, now()))
            await Reporter(app, stripe).report_due()
        found = await _compare(app, stripe, settled)

    def transaction(conn: Connection) -> None:
        audit_log.insert(
            conn,
            actor,
            "billing.reconcile",
            "",
            apply=request.apply,
            differences=found.differences,
            delivered=settled.delivered,
            sent_again=settled.sent_again,
            dropped=settled.dropped,
        )

    await app.db.write(transaction)
    return found


async def _compare(app: Context, stripe: Stripe, settled: Settled) -> Reconciliation:
    first, before = await _span(app)
    sums = await meter_events.hour_sums(app.db, first, before, now(-SUMMED_AFTER_S))
    slugs = {tenant: slug for (tenant, _), slug in (await meter_events.customers(app.db, first)).items()}
    at_stripe = await _stripe_sums(app, stripe, first, before)
    known = {(entry.tenant_id, entry.metric, entry.hour): entry for entry in sums}
    for tenant_id, metric, hour in at_stripe.keys() - known.keys():
        known[tenant_id, metric, hour] = HourSum(tenant_id, metric, hour)
    lines = [
        Line(slugs.get(entry.tenant_id, entry.tenant_id), entry, at_stripe.get(key, 0)) for key, entry in known.items()
    ]
    lines.sort(key=lambda line: (line.sums.hour, line.slug, line.sums.metric))
    return Reconciliation(first, len(lines), tuple(line for line in lines if line.state != "agrees"), settled)


async def _span(app: Context) -> tuple[str, str]:
    """From the hour of which the oldest open event is, or the oldest one that Stripe takes, to the last one that is
    over.
    """
    first = after_days(now(), -OLDEST_DAYS)[:13]
    return min(await meter_events.first_open_hour(app.db) or first, first), now(-COMPARE_AFTER_S)[:13]


async def _stripe_sums(app: Context, stripe: Stripe, first: str, before: str) -> Sums:
    """What Stripe has of every tenant that is billed, or was, in hours from `first` on and before `before`."""
    places = asyncio.Semaphore(AT_ONCE)
    ids = await meters.meters(stripe)
    found: Sums = {}

    async def ask(tenant_id: str, customer: str, metric: Metric) -> None:
        try:
            async with places:
                by_hour = await meters.hourly_sums(stripe, ids[metric], customer, first, before)
        except Refused as refused:
            if refused.stripe_code != MISSING:
                raise
            return  # a customer that was deleted there
        for hour, value in by_hour.items():
            key = (tenant_id, metric, hour)
            found[key] = found.get(key, 0) + value

    asked = await meter_events.customers(app.db, first)
    await asyncio.gather(
        *(ask(tenant_id, customer, metric) for tenant_id, customer in asked for metric in METRICS if metric in ids)
    )
    return found


async def _settle(app: Context, stripe: Stripe) -> Settled:
    """Decide about every parked event by what Stripe has of its hour."""
    first, _ = await _span(app)
    # They are read before Stripe is asked: what is delivered meanwhile is not the same any more.
    hours = await app.db.write(meter_events.parked_hours)
    at_stripe = await _stripe_sums(app, stripe, first, now()[:13]) if hours else {}

    def settle(hour: Hour, events: list[MeterEvent]) -> Callable[[Connection], Settled]:
        return lambda conn: _settle_hour(conn, hour, events, at_stripe.get(hour, 0))

    settled = Settled()
    for hour, events in hours.items():
        settled += await app.db.write(settle(hour, events))
    return settled


def _settle_hour(conn: Connection, hour: tuple[str, Metric, str], events: list[MeterEvent], at_stripe: int) -> Settled:
    if meter_events.of_hour(conn, *hour) != events:
        return Settled(undecided=sum(event.status == "parked" for event in events))
    moment, settled = now(), Settled()
    for event, verdict in decide(events, at_stripe, now(-SUMMED_AFTER_S)).items():
        match verdict:
            case "taken":
                meter_events.deliver(conn, event.seq, moment)
                settled += Settled(delivered=1)
            case "unknown":
                settled += Settled(undecided=1)
            case _ if is_too_old(event, moment):
                meter_events.drop(conn, event.seq, "Stripe has not got it, and takes nothing that old any more.")
                settled += Settled(dropped=1)
            case _:
                is_renamed = verdict == "not this one" or event.delivered_at is not None
                meter_events.send_again(conn, event, moment, is_renamed=is_renamed)
                settled += Settled(sent_again=1)
    return settled


Verdict = Literal["taken", "not taken", "not this one", "unknown"]


def decide(events: list[MeterEvent], at_stripe: int, fresh_from: str) -> dict[MeterEvent, Verdict]:
    """What became of the parked ones among an hour's events, by Stripe's sum of the hour.

    "not this one": it or another of the same value. Whichever it was, the sum is right once this one is sent under an
    identifier that Stripe can't know. Nothing is said while Stripe may not have summed up all it has.
    """
    refused = [event for event in events if event.status == "parked" and not _may_be_counted(event)]
    parked = [event for event in events if event.status == "parked" and _may_be_counted(event)]
    pending = [event for event in events if event.status == "pending"]
    beyond = at_stripe - sum(event.value for event in events if event.status == "delivered")
    verdicts: dict[MeterEvent, Verdict] = dict.fromkeys(refused, "not taken")
    verdicts |= dict.fromkeys(parked, "unknown")
    if len(parked) + len(pending) > MOST_PARKED or any(_is_fresh(event, fresh_from) for event in events):
        return verdicts
    if any(event.from_backup for event in parked):
        if pending:
            return verdicts
        taken = _covering(parked, beyond)
        return verdicts | {event: "taken" if event in taken else "not this one" for event in parked}
    fitting = [set(taken) for taken in _subsets(parked + pending) if sum(event.value for event in taken) == beyond]
    if not fitting or (len(fitting) > 1 and pending):  # pending ones go on being sent under their own identifiers
        return verdicts
    rest: Verdict = "not taken" if len(fitting) == 1 else "not this one"
    return verdicts | {event: "taken" if event in fitting[0] else rest for event in parked}


def _covering(parked: list[MeterEvent], beyond: int) -> set[MeterEvent]:
    """The ones with the smallest sum that reaches what Stripe has beyond the delivered ones; all where none does.

    Stripe may have usage that the restored database has lost: more than any of them sum up to, or a bigger event that
    one of them was a part of. Whatever it was, what is left never makes the hour's sum more than what was used.
    """
    enough = [taken for taken in _subsets(parked) if sum(event.value for event in taken) >= beyond]
    return set(min(enough, key=lambda taken: sum(event.value for event in taken), default=tuple(parked)))


def _may_be_counted(event: MeterEvent) -> bool:
    """Not, where every attempt was refused."""
    return event.unanswered_since is not None or event.delivered_at is not None


def _is_fresh(event: MeterEvent, fresh_from: str) -> bool:
    return _may_be_counted(event) and (event.last_attempt_at or "") >= fresh_from


def _subsets(events: list[MeterEvent]) -> chain[tuple[MeterEvent, ...]]:
    return chain.from_iterable(combinations(events, size) for size in range(len(events) + 1))
