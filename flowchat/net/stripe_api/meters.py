"""Billing meters: what is reported to them, and what they have summed up."""

from datetime import UTC, datetime
from typing import Any

from flowchat.billing import METRICS, MeterEvent, Metric
from flowchat.net.stripe_api.client import Refused, Stripe, failures

EVENT_NAMES: dict[Metric, str] = {metric: f"flowchat_{metric}" for metric in METRICS}
DUPLICATE = "already exists"  # how a second event of an identifier is refused; it has no code of its own
_PAGE = 100


async def report(stripe: Stripe, event: MeterEvent) -> None:
    """That Stripe has it already is no failure. Raises Refused, Unavailable, Unanswered."""
    params: Any = {
        "event_name": EVENT_NAMES[event.metric],
        "identifier": event.identifier,
        "timestamp": event.timestamp,
        "payload": {"stripe_customer_id": event.stripe_customer, "value": str(event.value)},
    }
    # One key for each attempt: Stripe answers a key that it knows with what it said before, a 500 as well.
    key = f"{event.identifier}.{event.attempts}"
    try:
        with failures():
            await stripe.api.v1.billing.meter_events.create_async(
                params, {"idempotency_key": key, "max_network_retries": 0}
            )
    except Refused as refused:
        if DUPLICATE not in refused.message:
            raise


def identifiers_meant(told: str) -> tuple[str, str]:
    """What Stripe may mean where it names a request: the event's identifier, or the key that it was sent with."""
    return told, told.rpartition(".")[0]


async def meters(stripe: Stripe) -> dict[Metric, str]:
    """Ids of FlowChat's meters that are active."""
    names = {name: metric for metric, name in EVENT_NAMES.items()}
    with failures():
        listed = await stripe.api.v1.billing.meters.list_async({"status": "active", "limit": _PAGE})
        found = [meter async for meter in listed.auto_paging_iter()]
    return {names[meter.event_name]: meter.id for meter in found if meter.event_name in names}


async def create_meter(stripe: Stripe, metric: Metric) -> str:
    """Returns its id."""
    params: Any = {
        "display_name": f"FlowChat {metric}",
        "event_name": EVENT_NAMES[metric],
        "default_aggregation": {"formula": "sum"},
        "customer_mapping": {"type": "by_id", "event_payload_key": "stripe_customer_id"},
        "value_settings": {"event_payload_key": "value"},
    }
    with failures():
        return (await stripe.api.v1.billing.meters.create_async(params)).id


async def hourly_sums(stripe: Stripe, meter_id: str, customer: str, first: str, before: str) -> dict[str, int]:
    """What the meter has of a customer, by hour (YYYY-MM-DDTHH) from `first` on and before `before`; hours without any
    are left out. Stripe sums up with a delay.
    """
    params: Any = {
        "customer": customer,
        "start_time": _unix(first),
        "end_time": _unix(before),
        "value_grouping_window": "hour",
        "limit": _PAGE,
    }
    with failures():
        listed = await stripe.api.v1.billing.meters.event_summaries.list_async(meter_id, params)
        found = [summary async for summary in listed.auto_paging_iter()]
    return {_hour(summary.start_time): round(summary.aggregated_value) for summary in found if summary.aggregated_value}


def _unix(hour: str) -> int:
    return int(datetime.fromisoformat(f"{hour}:00:00+00:00").timestamp())


def _hour(unix: int) -> str:
    return datetime.fromtimestamp(unix, UTC).strftime("%Y-%m-%dT%H")
