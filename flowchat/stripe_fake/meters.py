"""Billing meters, the events they sum up, and reports of those that count for nobody."""

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from typing import Any

from flowchat.stripe_fake.calls import Call, retrieving
from flowchat.stripe_fake.fields import EXPAND, PAGE, hash_of, needed, one_of, pairs, text, whole
from flowchat.stripe_fake.lists import page
from flowchat.stripe_fake.refusals import Refusal
from flowchat.stripe_fake.state import Json, MeterEvent, State, new_id, timestamp

UNIQUE_S = 24 * 3600  # how long an identifier is remembered
OLDEST_DAYS = 35
FUTURE_S = 300
MOST_DIGITS = 15
MAX_NAME = 100
_WINDOWS = {"hour": 3600, "day": 86400}
_REPORT = "v1.billing.meter.error_report_triggered"
_REPORT_WINDOW_S = 10
_SAMPLES = 5  # of the errors of one kind, in a report


def _create(state: State, params: Json) -> Json:
    name = params["event_name"]
    if active_meter(state, name):
        message = f"There is already an active meter for the event name '{name}'."
        raise Refusal(message, param="event_name")
    key = params.get("customer_mapping", {}).get("event_payload_key", "stripe_customer_id")
    meter = {
        "id": new_id("mtr_test", 26),
        "object": "billing.meter",
        "created": state.now(),
        "customer_mapping": {"event_payload_key": key, "type": "by_id"},
        "default_aggregation": params["default_aggregation"],
        "display_name": params["display_name"],
        "event_name": name,
        "event_time_window": None,
        "livemode": False,
        "status": "active",
        "status_transitions": {"deactivated_at": None},
        "updated": state.now(),
        "value_settings": params.get("value_settings", {"event_payload_key": "value"}),
    }
    state.emit("billing.meter.created", state.add("meter", meter))
    return meter


def active_meter(state: State, event_name: str) -> Json | None:
    meters = state.all("meter")
    return next((meter for meter in meters if (meter["event_name"], meter["status"]) == (event_name, "active")), None)


def _list(state: State, params: Json) -> Json:
    found = [meter for meter in state.all("meter") if params.get("status") in (None, meter["status"])]
    return page("/v1/billing/meters", found, params, "meter")


def _update(state: State, params: Json) -> Json:
    meter = state.get("meter", params["id"])
    with state.changing(meter, "billing.meter.updated"):
        meter.update(display_name=params.get("display_name", meter["display_name"]), updated=state.now())
    return meter


def _deactivate(state: State, params: Json) -> Json:
    meter = state.get("meter", params["id"])
    with state.changing(meter, "billing.meter.deactivated"):
        meter.update(status="inactive", status_transitions={"deactivated_at": state.now()}, updated=state.now())
    return meter


def _reactivate(state: State, params: Json) -> Json:
    meter = state.get("meter", params["id"])
    other = active_meter(state, meter["event_name"])
    if other and other is not meter:
        raise Refusal(f"There is already an active meter for the event name '{meter['event_name']}'.")
    with state.changing(meter, "billing.meter.reactivated"):
        meter.update(status="active", status_transitions={"deactivated_at": None}, updated=state.now())
    return meter


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
    if not state.find("customer", customer) or state.find("customer", customer).get("deleted"):  # type: ignore[union-attr]
        return "meter_event_customer_not_found", f"No such customer: '{customer}'"
    return None


def report_errors(state: State) -> None:
    """Tell of the events that count for nobody, by meter."""
    now = state.now()
    by_name: dict[str, list[MeterEvent]] = defaultdict(list)
    for event in state.meter_events:
        if event.error and not event.is_reported and event.counted_at <= now:
            event.is_reported = True
            by_name[event.event_name].append(event)
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


def _list_summaries(state: State, params: Json) -> Json:
    meter = state.get("meter", params["id"])
    state.get("customer", params["customer"], param="customer", status=400)
    start, end, window = params["start_time"], params["end_time"], params.get("value_grouping_window")
    step = _WINDOWS.get(window or "", 60)
    for name, moment in (("start_time", start), ("end_time", end)):
        if moment % step:
            boundary = f"{window or 'minute'} boundaries"
            raise Refusal(f"Invalid {name}: {moment} must be aligned with {boundary}.", param=name)
    if end <= start:
        raise Refusal("Invalid end_time: it must be after start_time.", param="end_time")
    length = step if window else end - start
    found = [
        _summary(meter, params["customer"], at, at + length, events)
        for at, events in _windows(
            counted(state, meter, params["customer"], start, end), start, length, is_grouped=bool(window)
        )
    ]
    return page(f"/v1/billing/meters/{meter['id']}/event_summaries", found, params, "meter_event_summary")


def _windows(
    events: Iterable[MeterEvent], start: int, length: int, *, is_grouped: bool
) -> Iterator[tuple[int, list[MeterEvent]]]:
    """Oldest first, those without events left out; one for all where they are not grouped."""
    by_start: dict[int, list[MeterEvent]] = defaultdict(list) if is_grouped else {start: []}
    for event in events:
        by_start[start + (event.timestamp - start) // length * length].append(event)
    yield from sorted(by_start.items())


def _summary(meter: Json, customer: str, start: int, end: int, events: list[MeterEvent]) -> Json:
    name = f"{meter['id']} {customer} {start} {end}"
    return {
        "id": f"mtrusg_test_{hashlib.sha256(name.encode()).hexdigest()[:24]}",
        "object": "billing.meter_event_summary",
        "aggregated_value": float(aggregated(meter, events)),
        "end_time": end,
        "livemode": False,
        "meter": meter["id"],
        "start_time": start,
    }


def counted(state: State, meter: Json, customer: str, start: int, end: int) -> list[MeterEvent]:
    """The events of a customer in that time which sums have by now."""
    now, name = state.now(), meter["event_name"]
    return [
        event
        for event in state.meter_events
        if event.customer == customer
        and event.event_name == name
        and start <= event.timestamp < end
        and event.error is None
        and event.counted_at <= now
    ]


def aggregated(meter: Json, events: list[MeterEvent]) -> int:
    match meter["default_aggregation"]["formula"]:
        case "count":
            return len(events)
        case "last":
            return max(events, key=lambda event: event.timestamp).value if events else 0
        case _:
            return sum(event.value for event in events)


def totals(state: State) -> dict[str, dict[str, int]]:
    """Of all events that count, by event name and customer."""
    found: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for event in state.meter_events:
        if event.error is None:
            found[event.event_name][event.customer] += event.value
    return {name: dict(by_customer) for name, by_customer in found.items()}


def as_json(events: Iterable[MeterEvent]) -> list[dict[str, Any]]:
    return [asdict(event) for event in events]


_CUSTOMER_MAPPING = {"event_payload_key": needed(text), "type": needed(one_of("by_id"))}
_NEW = {
    "customer_mapping": hash_of(_CUSTOMER_MAPPING),
    "default_aggregation": needed(hash_of({"formula": needed(one_of("count", "last", "sum"))})),
    "display_name": needed(text),
    "event_name": needed(text),
    "value_settings": hash_of({"event_payload_key": needed(text)}),
    **EXPAND,
}
_NEW_EVENT = {
    "event_name": needed(text),
    "identifier": text,
    "payload": needed(pairs),
    "timestamp": whole,
    **EXPAND,
}
_SUMMARIES = {
    **PAGE,
    "customer": needed(text),
    "end_time": needed(whole),
    "start_time": needed(whole),
    "value_grouping_window": one_of("day", "hour"),
    **EXPAND,
}
CALLS = (
    Call("POST", "/v1/billing/meters", _create, _NEW),
    Call("GET", "/v1/billing/meters", _list, {**PAGE, "status": one_of("active", "inactive"), **EXPAND}),
    Call("GET", "/v1/billing/meters/<id>", retrieving("meter"), EXPAND),
    Call("POST", "/v1/billing/meters/<id>", _update, {"display_name": text, **EXPAND}),
    Call("POST", "/v1/billing/meters/<id>/deactivate", _deactivate, EXPAND),
    Call("POST", "/v1/billing/meters/<id>/reactivate", _reactivate, EXPAND),
    Call("GET", "/v1/billing/meters/<id>/event_summaries", _list_summaries, _SUMMARIES),
    Call("POST", "/v1/billing/meter_events", _create_event, _NEW_EVENT),
)
