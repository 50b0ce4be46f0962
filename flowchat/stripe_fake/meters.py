"""Billing meters, and what they have summed up."""

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Iterator

from flowchat.stripe_fake import customers
from flowchat.stripe_fake.calls import Call, retrieving
from flowchat.stripe_fake.fields import EXPAND, PAGE, hash_of, needed, one_of, text, whole
from flowchat.stripe_fake.lists import page
from flowchat.stripe_fake.refusals import Refusal
from flowchat.stripe_fake.state import Json, MeterEvent, State, new_id

_WINDOWS = {"hour": 3600, "day": 86400}


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


def _list_summaries(state: State, params: Json) -> Json:
    meter = state.get("meter", params["id"])
    customers.living(state, params["customer"], param="customer", status=400)
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


_CUSTOMER_MAPPING = {"event_payload_key": needed(text), "type": needed(one_of("by_id"))}
_NEW = {
    "customer_mapping": hash_of(_CUSTOMER_MAPPING),
    "default_aggregation": needed(hash_of({"formula": needed(one_of("count", "last", "sum"))})),
    "display_name": needed(text),
    "event_name": needed(text),
    "value_settings": hash_of({"event_payload_key": needed(text)}),
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
)
