"""The events that meters sum up, and reports of those that count for nobody."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import asdict
from typing import Any

from flowchat.stripe_fake.calls import Call
from flowchat.stripe_fake.fields import EXPAND, needed, pairs, text, whole
from flowchat.stripe_fake.meters import active_meter
from flowchat.stripe_fake.refusals import Refusal
from flowchat.stripe_fake.state import Json, MeterEvent, State, new_id, timestamp

UNIQUE_S = 24 * 3600  # how long an identifier is remembered
OLDEST_DAYS = 35
FUTURE_S = 300
MOST_DIGITS = 15
MAX_NAME = 100
_REPORT = "v1.billing.meter.error_report_triggered"
_REPORT_WINDOW_S = 10
_SAMPLES = 5  # of the errors of one kind, in a report


def _create_event(state: State, params: Json) -> Json:
    name, payload, now = params["event_name"], params["payload"], state.now()
    meter = active_meter(state, name)
    if meter is None:
        message = f'No active meter found for event name "{name}"'
        raise Refusal(message, code="resource_missing", param="event_name")
    moment = params.get("timestamp", now)
    _check_time(moment, now)
    value = _value(payload, meter["value_settings"]["event_payload_key"])
    identifier = params.get("identifier") or new_id("idmp", 16)
    _take_identifier(state, identifier, now)
    customer = payload.get(meter["customer_mapping"]["event_payload_key"], "")
    event = MeterEvent(
        identifier=identifier,
        event_name=name,
        customer=customer,
        value=value,
        timestamp=moment,
        created=now,
        counted_at=now + state.behaviour.meter_lag_s,
        error=_error(state, meter, customer),
    )
    state.meter_events.append(event)
    if event.error:
        state.unreported.append(event)
    return {
        "object": "billing.meter_event",
        "created": now,
        "event_name": name,
        "identifier": identifier,
        "livemode": False,
        "payload": payload,
        "timestamp": moment,
    }


def _check_time(moment: int, now: int) -> None:
    oldest = now - OLDEST_DAYS * 86400
    if moment < oldest:
        raise Refusal(
            f"The event timestamp cannot be more than {OLDEST_DAYS} days in past. "
            f"Expected a timestamp greater than or equal to {oldest}.",
            code="timestamp_too_far_in_past",
            param="timestamp",
        )
    if moment > now + FUTURE_S:
        raise Refusal(
            f"The event timestamp cannot be more than {FUTURE_S // 60} minutes in future. "
            f"Expected a timestamp less than or equal to {now + FUTURE_S}.",
            code="timestamp_in_future",
            param="timestamp",
        )


def _value(payload: dict[str, str], key: str) -> int:
    raw = payload.get(key)
    if raw is None:
        raise Refusal(f"Missing value for the payload key: {key}", code="parameter_missing", param=f"payload[{key}]")
    if not (raw.isascii() and raw.isdecimal()):
        message = f"Invalid value for the payload key {key}: expected a non-negative whole number, but got {raw}"
        raise Refusal(message, code="meter_event_invalid_value", param=f"payload[{key}]")
    if len(raw) > MOST_DIGITS:
        message = f"Invalid value for the payload key {key}: at most {MOST_DIGITS} digits are allowed"
        raise Refusal(message, code="meter_event_value_too_many_digits", param=f"payload[{key}]")
    return int(raw)


def _take_identifier(state: State, identifier: str, now: int) -> None:
    """Like the real one: an error without a code, which only its message tells."""
    if len(identifier) > MAX_NAME:
        raise Refusal(f"Invalid string: must be at most {MAX_NAME} characters", param="identifier")
    taken = state.identifiers.get(identifier)
    if taken is not None and now - taken < UNIQUE_S:
        state.duplicates.append(identifier)
        raise Refusal(f"An event already exists with identifier {identifier}.")
    state.identifiers[identifier] = now


def _error(state: State, meter: Json, customer: str) -> tuple[str, str] | None:
    """What is found out only after the event was taken."""
    if not customer:
        key = meter["customer_mapping"]["event_payload_key"]
        return "meter_event_no_customer_defined", f"Customer mapping key {key} not found in payload."
    known = state.find("customer", customer)
    if known is None or known.get("deleted"):
        return "meter_event_customer_not_found", f"No such customer: '{customer}'"
    return None


def report_errors(state: State) -> None:
    """Tell of the events that count for nobody, by meter."""
    now = state.now()
    by_name: dict[str, list[MeterEvent]] = defaultdict(list)
    for event in state.unreported:
        if event.counted_at <= now:
            by_name[event.event_name].append(event)
    state.unreported = [event for event in state.unreported if event.counted_at > now]
    for name, events in by_name.items():
        meter = active_meter(state, name)
        if meter:
            url = f"/v1/billing/meters/{meter['id']}"
            related = {"id": meter["id"], "type": "billing.meter", "url": url}
            state.emit_thin(_REPORT, related, _report(events, now))


def _report(events: list[MeterEvent], now: int) -> Json:
    by_code: dict[str, list[Json]] = defaultdict(list)
    for event in events:
        code, message = event.error or ("", "")
        by_code[code].append({"error_message": message, "request": {"identifier": event.identifier}})
    noun = "event" if len(events) == 1 else "events"
    return {
        "developer_message_summary": f"There {'is' if len(events) == 1 else 'are'} {len(events)} invalid {noun}",
        "reason": {
            "error_count": len(events),
            "error_types": [
                {"code": code, "error_count": len(samples), "sample_errors": samples[:_SAMPLES]}
                for code, samples in by_code.items()
            ],
        },
        "validation_end": timestamp(now),
        "validation_start": timestamp(now - _REPORT_WINDOW_S),
    }


def totals(state: State) -> dict[str, dict[str, int]]:
    """Of all events that count, by event name and customer."""
    found: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for event in state.meter_events:
        if event.error is None:
            found[event.event_name][event.customer] += event.value
    return {name: dict(by_customer) for name, by_customer in found.items()}


def as_json(events: Iterable[MeterEvent]) -> list[dict[str, Any]]:
    return [asdict(event) for event in events]


_NEW_EVENT = {
    "event_name": needed(text),
    "identifier": text,
    "payload": needed(pairs),
    "timestamp": whole,
    **EXPAND,
}
CALLS = (Call("POST", "/v1/billing/meter_events", _create_event, _NEW_EVENT),)
