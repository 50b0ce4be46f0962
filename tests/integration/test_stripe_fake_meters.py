"""Meters of the fake of Stripe: what they take, refuse, forget and sum up."""

from typing import Any

import pytest
from stripe_faking import START, Shop, shop
from test_stripe_fake import refusal

HOUR_S = 3600
DAY_S = 24 * HOUR_S


async def sums(world: Shop, start: int, end: int, **more: Any) -> list[tuple[int, int, float]]:
    """Start and end, from START, and sum of each summary, newest first."""
    params: Any = {"customer": world.customer, "start_time": start, "end_time": end, "limit": 100, **more}
    listed = await world.api.v1.billing.meters.event_summaries.list_async(world.meter, params)
    return [(each.start_time - START, each.end_time - START, each.aggregated_value) for each in listed.data]


async def test_an_identifier_counts_once_in_a_day() -> None:
    async with shop() as world:
        await world.use(5, "one")
        for _ in range(2):
            duplicate = await refusal(world.use(5, "one"))
            assert duplicate["message"] == "An event already exists with identifier one."
            assert (duplicate["status"], "code" in duplicate) == (400, False)
        await world.fake.advance(seconds=DAY_S - 60)
        await refusal(world.use(5, "one"))
        state = await world.fake.state()
        assert state["meters"] == {"answers": {world.customer: 5}}
        assert state["duplicates_refused"] == ["one"] * 3
        await world.fake.advance(seconds=60)
        await world.use(5, "one")
        assert (await world.fake.state())["meters"] == {"answers": {world.customer: 10}}


async def test_a_repeated_request_is_no_duplicate() -> None:
    async with shop() as world:
        params: Any = {
            "event_name": "answers",
            "identifier": "one",
            "payload": {"stripe_customer_id": world.customer, "value": "5"},
        }
        options: Any = {"idempotency_key": "k1"}
        for _ in range(2):
            made = await world.api.v1.billing.meter_events.create_async(params, options)
            assert (made.identifier, made.timestamp, made.payload.to_dict()["value"]) == ("one", START, "5")
        assert (await world.fake.state())["duplicates_refused"] == []


async def test_when_an_event_may_have_been() -> None:
    async with shop() as world:
        await world.use(1, "oldest", timestamp=START - 35 * DAY_S + 60)
        await world.use(1, "newest", timestamp=START + 300)
        old = await refusal(world.use(1, "older", timestamp=START - 35 * DAY_S - 60))
        assert (old["code"], old["param"]) == ("timestamp_too_far_in_past", "timestamp")
        assert old["message"].startswith(
            "The event timestamp cannot be more than 35 days in past. Expected a timestamp"
        )
        new = await refusal(world.use(1, "newer", timestamp=START + 360))
        assert (new["code"], new["param"]) == ("timestamp_in_future", "timestamp")


@pytest.mark.parametrize("value", ["-1", "1.5", "many", "", "1" * 16, "٣"])
async def test_values_that_are_no_number_of_anything(value: str) -> None:
    async with shop() as world:
        params: Any = {"event_name": "answers", "payload": {"stripe_customer_id": world.customer, "value": value}}
        refused = await refusal(world.api.v1.billing.meter_events.create_async(params))
        assert (refused["status"], refused["param"]) == (400, "payload[value]")
        params["payload"] = {"stripe_customer_id": world.customer}
        refused = await refusal(world.api.v1.billing.meter_events.create_async(params))
        assert refused["param"] == "payload[value]"


async def test_meters_are_made_changed_and_put_to_rest() -> None:
    async with shop() as world:
        meters = world.api.v1.billing.meters
        again: Any = {"display_name": "B", "event_name": "answers", "default_aggregation": {"formula": "sum"}}
        assert (await refusal(meters.create_async(again)))["param"] == "event_name"
        assert (await meters.update_async(world.meter, {"display_name": "Queries"})).display_name == "Queries"
        assert (await meters.deactivate_async(world.meter)).status == "inactive"
        unknown = await refusal(world.use(1, "one"))
        assert unknown["message"] == 'No active meter found for event name "answers"'
        other = await meters.create_async(again)
        assert (await refusal(meters.reactivate_async(world.meter)))["status"] == 400
        await meters.deactivate_async(other.id)
        assert (await meters.reactivate_async(world.meter)).status == "active"
        assert [each.id for each in (await meters.list_async({"status": "active"})).data] == [world.meter]
        assert (await meters.retrieve_async(other.id)).status == "inactive"


async def test_summaries() -> None:
    async with shop() as world:
        await world.use(1, "a", timestamp=START)
        await world.use(2, "b", timestamp=START - 1)
        await world.use(4, "c", timestamp=START - HOUR_S)
        await world.use(8, "d", timestamp=START - 3 * HOUR_S - 1)
        start, end = START - DAY_S, START + HOUR_S
        assert await sums(world, start, end) == [(-DAY_S, HOUR_S, 15)]
        assert await sums(world, START - HOUR_S, START) == [(-HOUR_S, 0, 6)]
        assert await sums(world, START + 60, START + 120) == [(60, 120, 0)]
        hours = await sums(world, start, end, value_grouping_window="hour")
        assert hours == [(0, HOUR_S, 1), (-HOUR_S, 0, 6), (-4 * HOUR_S, -3 * HOUR_S, 8)]
        days = await sums(world, start, START + DAY_S, value_grouping_window="day")
        assert days == [(0, DAY_S, 1), (-DAY_S, 0, 14)]
        params: Any = {
            "customer": world.customer,
            "start_time": start,
            "end_time": end,
            "value_grouping_window": "hour",
            "limit": 1,
        }
        listed = await world.api.v1.billing.meters.event_summaries.list_async(world.meter, params)
        assert [each.aggregated_value async for each in listed.auto_paging_iter()] == [1, 6, 8]


@pytest.mark.parametrize(
    ("changes", "param"),
    [
        ({"start_time": START + 1}, "start_time"),
        ({"end_time": START + 61}, "end_time"),
        ({"start_time": START + 60, "value_grouping_window": "hour"}, "start_time"),
        ({"end_time": START + HOUR_S, "value_grouping_window": "day"}, "end_time"),
        ({"end_time": START - 60}, "end_time"),
        ({"customer": "cus_none"}, "customer"),
        ({"value_grouping_window": "minute"}, "value_grouping_window"),
    ],
)
async def test_summaries_of_times_that_are_not_whole(changes: dict[str, Any], param: str) -> None:
    async with shop() as world:
        params: Any = {"customer": world.customer, "start_time": START, "end_time": START + DAY_S, **changes}
        refused = await refusal(world.api.v1.billing.meters.event_summaries.list_async(world.meter, params))
        assert (refused["status"], refused["param"]) == (400, param)


async def test_sums_may_lag_behind() -> None:
    async with shop() as world:
        await world.fake.post("/settings", meter_lag_s=600)
        await world.use(7, "a")
        assert await sums(world, START, START + HOUR_S) == [(0, HOUR_S, 0)]
        await world.fake.advance(seconds=600)
        assert await sums(world, START, START + HOUR_S) == [(0, HOUR_S, 7)]
        assert (await world.fake.state())["meters"] == {"answers": {world.customer: 7}}


@pytest.mark.parametrize(("formula", "sum_"), [("count", 2), ("last", 3)])
async def test_other_ways_to_aggregate(formula: Any, sum_: int) -> None:
    async with shop() as world:
        meter = await world.api.v1.billing.meters.create_async(
            {"display_name": "B", "event_name": "b", "default_aggregation": {"formula": formula}}
        )
        for value, moment in ((3, START), (5, START - 60)):
            await world.api.v1.billing.meter_events.create_async(
                {
                    "event_name": "b",
                    "timestamp": moment,
                    "payload": {"stripe_customer_id": world.customer, "value": str(value)},
                }
            )
        world.meter = meter.id
        assert await sums(world, START - DAY_S, START + DAY_S) == [(-DAY_S, DAY_S, sum_)]


async def test_events_of_nobody_are_taken_and_reported_afterwards() -> None:
    async with shop() as world:
        await world.fake.post("/settings", meter_lag_s=60)
        world.customer = "cus_none"
        await world.use(1, "one")
        await world.use(1, "two")
        await world.api.v1.billing.meter_events.create_async(
            {"event_name": "answers", "identifier": "three", "payload": {"value": "1"}}
        )
        events = world.api.v2.core.events
        assert (await events.list_async({"object_id": world.meter})).data == []
        await world.fake.advance(seconds=60)
        [listed] = (await events.list_async({"object_id": world.meter})).data
        event: Any = (await events.retrieve_async(listed.id)).to_dict()
        assert event["type"] == "v1.billing.meter.error_report_triggered"
        assert event["related_object"]["url"] == f"/v1/billing/meters/{world.meter}"
        assert event["data"]["developer_message_summary"] == "There are 3 invalid events"
        reason = event["data"]["reason"]
        assert reason["error_count"] == 3
        assert [(each["code"], each["error_count"]) for each in reason["error_types"]] == [
            ("meter_event_customer_not_found", 2),
            ("meter_event_no_customer_defined", 1),
        ]
        samples = [each["request"]["identifier"] for each in reason["error_types"][0]["sample_errors"]]
        assert samples == ["one", "two"]
        assert (await world.fake.state())["meters"] == {}
        missing = await refusal(events.retrieve_async("evt_test_none"))
        assert (missing["status"], missing["code"]) == (404, "not_found")
