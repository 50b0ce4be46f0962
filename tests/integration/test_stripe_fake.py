"""The fake of Stripe by the real library: who may call, what is repeated, what fails, and the catalog."""

import asyncio
from collections.abc import Awaitable
from typing import Any

import httpx
import pytest
import stripe
from stripe_faking import BACK, KEY, START, metered_price, shop, stripe_fake

ONCE: Any = {"max_network_retries": 0}
VERSION = {"Stripe-Version": "2026-10-28.endive"}
AUTHORIZED = {**VERSION, "Authorization": f"Bearer {KEY}"}


async def refusal(
    call: Awaitable[object], kind: type[stripe.StripeError] = stripe.InvalidRequestError
) -> dict[str, Any]:
    """The error that a call gets."""
    with pytest.raises(kind) as caught:
        await call
    assert caught.value.request_id or kind is stripe.APIConnectionError
    body: Any = caught.value.json_body
    return {"status": caught.value.http_status, **(body["error"] if body else {})}


@pytest.mark.parametrize(
    ("headers", "status", "message"),
    [
        ({**VERSION}, 401, "You did not provide an API key."),
        ({**VERSION, "Authorization": "Bearer sk_live_abcdefgh"}, 401, "Invalid API Key provided: sk_live_****efgh"),
        ({**VERSION, "Authorization": "Basic !"}, 401, "You did not provide an API key."),
        ({"Authorization": f"Bearer {KEY}"}, 400, "Invalid Stripe API version"),
        ({"Authorization": f"Bearer {KEY}", "Stripe-Version": "new"}, 400, "Invalid Stripe API version: new"),
    ],
)
async def test_who_may_call(headers: dict[str, str], status: int, message: str) -> None:
    async with stripe_fake() as fake:
        answer = await fake.client.get("/v1/customers", headers=headers)
    assert answer.status_code == status
    assert answer.json()["error"]["message"].startswith(message)
    assert answer.json()["error"]["type"] == "invalid_request_error"
    assert answer.headers["Request-Id"].startswith("req_")
    assert ("WWW-Authenticate" in answer.headers) == (status == 401)


async def test_basic_authentication_and_paths_that_do_not_exist() -> None:
    async with stripe_fake() as fake:
        answer = await fake.client.get("/v1/customers", headers=VERSION, auth=(KEY, ""))
        assert (answer.status_code, answer.json()["data"]) == (200, [])
        assert answer.headers["Stripe-Version"] == VERSION["Stripe-Version"]
        for path in ("/v1/nothing", "/v1/customers/", "/v2/core/nothing", "/v1/customers/a/b"):
            missing = await fake.client.get(path, headers=AUTHORIZED)
            assert missing.status_code == 404
            assert missing.json()["error"]["message"].startswith(f"Unrecognized request URL (GET: {path}).")
        entries = (await fake.state())["last_requests"]
        assert {entry["version"] for entry in entries} == {VERSION["Stripe-Version"]}


async def test_products() -> None:
    async with shop() as world:
        products = world.api.v1.products
        made = await products.create_async({"id": "flowchat_1", "name": "A", "metadata": {"a": "1", "b": "2"}})
        assert (made.id, made.active, made.created) == ("flowchat_1", True, START)
        changed = await products.update_async(
            "flowchat_1", {"name": "B", "description": "Text", "active": False, "metadata": {"a": "", "c": "3"}}
        )
        assert (changed.name, changed.description, changed.active) == ("B", "Text", False)
        assert changed.metadata.to_dict() == {"b": "2", "c": "3"}
        assert (await products.update_async("flowchat_1", {"description": ""})).description is None
        assert (await products.retrieve_async("flowchat_1")).name == "B"
        assert [each.id for each in (await products.list_async({"active": False})).data] == ["flowchat_1"]
        again = await refusal(products.create_async({"id": "flowchat_1", "name": "A"}))
        assert (again["status"], again["code"]) == (400, "resource_already_exists")
        none = await refusal(products.retrieve_async("none"))
        assert (none["status"], none["code"], none["message"]) == (404, "resource_missing", "No such product: 'none'")


async def test_prices_and_their_lookup_keys() -> None:
    async with shop() as world:
        prices = world.api.v1.prices
        product = (await prices.retrieve_async(world.base)).product
        new: Any = {"product": product, "currency": "EUR", "unit_amount_decimal": "0.05", "lookup_key": "k"}
        first = await prices.create_async(new)
        assert (first.currency, first.unit_amount, str(first.unit_amount_decimal)) == ("eur", None, "0.05")
        taken = await refusal(prices.create_async(new))
        assert taken["message"] == f"A price (`{first.id}`) already uses that lookup key."
        new["transfer_lookup_key"] = True
        second = await prices.create_async(new)
        assert (await prices.retrieve_async(first.id)).lookup_key is None
        assert [each.id for each in (await prices.list_async({"lookup_keys": ["k"]})).data] == [second.id]
        await prices.update_async(second.id, {"active": False, "nickname": "Old"})
        assert (await prices.list_async({"lookup_keys": ["k"], "active": True})).data == []
        many = await refusal(prices.list_async({"lookup_keys": [str(n) for n in range(11)]}))
        assert many["param"] == "lookup_keys"


async def test_tiers_show_only_where_they_are_expanded() -> None:
    async with shop() as world:
        price = await world.api.v1.prices.retrieve_async(world.metered)
        assert "tiers" not in price.to_dict()
        expanded = await world.api.v1.prices.retrieve_async(world.metered, {"expand": ["tiers", "product"]})
        assert [(each.up_to, str(each.unit_amount_decimal)) for each in expanded.tiers or []] == [
            (100, "0"),
            (None, "0.5"),
        ]
        assert not isinstance(expanded.product, str) and expanded.product.name == "Starter"
        listed = await world.api.v1.prices.list_async({"expand": ["data.tiers"], "product": expanded.product.id})
        assert ["tiers" in each.to_dict() for each in listed.data] == [True, False]
        no = await refusal(world.api.v1.prices.retrieve_async(world.metered, {"expand": ["currency"]}))
        assert no["message"] == "This property cannot be expanded (currency)."


NONSENSE: list[tuple[dict[str, Any], str]] = [
    ({}, "unit_amount"),
    ({"unit_amount": 1, "unit_amount_decimal": "1"}, "unit_amount"),
    ({"unit_amount": -1}, "unit_amount"),
    ({"unit_amount": 1, "tiers": [{"up_to": "inf", "unit_amount": 1}]}, "tiers"),
    ({"billing_scheme": "tiered", "tiers_mode": "graduated"}, "tiers"),
    ({"billing_scheme": "tiered", "tiers": [{"up_to": "inf", "unit_amount": 1}]}, "tiers_mode"),
    (
        {"billing_scheme": "tiered", "tiers_mode": "graduated", "tiers": [{"up_to": 5, "unit_amount": 1}]},
        "tiers[0][up_to]",
    ),
    (
        {
            "billing_scheme": "tiered",
            "tiers_mode": "graduated",
            "tiers": [{"up_to": 5, "unit_amount": 1}, {"up_to": 5, "unit_amount": 1}, {"up_to": "inf"}],
        },
        "tiers[1][up_to]",
    ),
    ({"unit_amount": 1, "recurring": {"interval": "month", "usage_type": "metered"}}, "recurring[meter]"),
    ({"unit_amount": 1, "recurring": {"interval": "month", "meter": "none"}}, "recurring[meter]"),
    ({"unit_amount": 1, "recurring": {"interval": "moon"}}, "recurring[interval]"),
    ({"unit_amount": 1, "currency": "euro"}, "currency"),
    ({"unit_amount": 1, "product": "none"}, "product"),
]


async def test_prices_that_make_no_sense() -> None:
    async with shop() as world:
        product = (await world.api.v1.prices.retrieve_async(world.base)).product
        for terms, param in NONSENSE:
            params: Any = {"product": product, "currency": "eur", **terms}
            assert (await refusal(world.api.v1.prices.create_async(params)))["param"] == param, terms


async def test_lists_have_pages() -> None:
    async with stripe_fake() as fake, shop() as world:
        assert fake.url != world.fake.url
        customers = world.api.v1.customers
        names = [f"C{number}" for number in range(25)]
        for name in names:
            await customers.create_async({"name": name})
        first = await customers.list_async()
        assert ([each.name for each in first.data], first.has_more) == (names[:14:-1], True)
        assert first.url == "/v1/customers"
        everybody = [each.name async for each in (await customers.list_async({"limit": 7})).auto_paging_iter()]
        assert everybody == [*reversed(names), "Acme"]
        back = await customers.list_async({"ending_before": first.data[9].id, "limit": 3})
        assert ([each.name for each in back.data], back.has_more) == (names[18:15:-1], True)
        found = await customers.list_async({"email": "owner@acme.example"})
        assert [each.id for each in found.data] == [world.customer]
        assert (await customers.list_async({"created": {"gt": START + 3600}})).data == []
        for params, param in [
            ({"limit": 101}, "limit"),
            ({"limit": 0}, "limit"),
            ({"starting_after": "x"}, "starting_after"),
        ]:
            some: Any = params
            assert (await refusal(customers.list_async(some)))["param"] == param


async def test_customers() -> None:
    async with shop() as world:
        customers = world.api.v1.customers
        changed = await customers.update_async(world.customer, {"name": "New", "metadata": {"t": "1"}})
        assert (changed.name, changed.email) == ("New", "owner@acme.example")
        subscription = await world.subscribe()
        assert (await customers.delete_async(world.customer)).deleted
        gone = await customers.retrieve_async(world.customer)
        assert gone.deleted and await world.status(subscription) == "canceled"
        for call in (
            customers.update_async(world.customer, {"name": "Again"}),
            world.api.v1.subscriptions.list_async({"customer": world.customer}),
        ):
            assert (await refusal(call))["code"] == "resource_missing"
        await world.fake.advance(days=60)


async def test_an_idempotency_key_is_answered_once() -> None:
    async with shop() as world:
        customers = world.api.v1.customers
        options: Any = {"idempotency_key": "k1"}
        first = await customers.create_async({"name": "A"}, options)
        again = await customers.create_async({"name": "A"}, options)
        assert first.id == again.id
        assert again.last_response and again.last_response.headers["Idempotent-Replayed"] == "true"
        other = await refusal(customers.create_async({"name": "B"}, options), stripe.IdempotencyError)
        assert (other["status"], other["type"]) == (400, "idempotency_error")
        assert "'k1'" in other["message"]
        await world.fake.advance(hours=24)
        assert (await customers.create_async({"name": "A"}, options)).id != first.id


async def test_an_idempotency_key_of_a_request_that_was_not_understood_stays_free() -> None:
    async with shop() as world:
        options: Any = {"idempotency_key": "k1"}
        wrong: Any = {"nam": "A"}
        assert (await refusal(world.api.v1.customers.create_async(wrong, options)))["code"] == "parameter_unknown"
        assert (await world.api.v1.customers.create_async({"name": "A"}, options)).name == "A"


async def test_errors_are_repeated_for_their_key() -> None:
    async with shop() as world:
        options: Any = {"idempotency_key": "k1"}
        params: Any = {"name": "A", "id": "prod_1"}
        await world.api.v1.products.create_async(params)
        assert (await refusal(world.api.v1.products.create_async(params, options)))["status"] == 400
        again = await refusal(world.api.v1.products.create_async(params, options))
        assert again["code"] == "resource_already_exists"
        assert (await world.fake.state())["last_requests"][0]["is_replay"]


async def test_a_key_whose_request_is_under_way_conflicts() -> None:
    async with shop() as world:
        await world.fake.post("/settings", latency_s=0.5)
        headers = {**AUTHORIZED, "Idempotency-Key": "k1"}

        async def create() -> httpx.Response:
            return await world.fake.client.post("/v1/customers", data={"name": "A"}, headers=headers)

        answers = await asyncio.gather(create(), create())
        assert sorted(answer.status_code for answer in answers) == [200, 409]
        [conflict] = [answer.json()["error"] for answer in answers if answer.status_code == 409]
        assert conflict["code"] == "idempotency_key_in_use"


@pytest.mark.parametrize(
    ("fault", "error", "is_done"),
    [
        ("timeout_before", stripe.APIConnectionError, False),
        ("timeout_after", stripe.APIConnectionError, True),
        ("429", stripe.RateLimitError, False),
        ("500_before", stripe.APIError, False),
        ("500_after", stripe.APIError, True),
    ],
)
async def test_faults(fault: str, error: type[stripe.StripeError], is_done: bool) -> None:
    """What was carried out before the answer went wrong stays so; its key then repeats the answer, a 500 as well."""
    async with shop() as world:
        options: Any = {"idempotency_key": "k1", **ONCE}
        await world.fake.fail(1, fault)
        await refusal(world.api.v1.customers.create_async({"name": "A"}, options), error)
        await world.fake.fail(0)
        assert len(await world.fake.objects("customer")) == 1 + is_done
        if fault == "500_after":
            assert (await refusal(world.api.v1.customers.create_async({"name": "A"}, options), error))["status"] == 500
        else:
            await world.api.v1.customers.create_async({"name": "A"}, options)
            assert len(await world.fake.objects("customer")) == 2
        state = await world.fake.state()
        assert state["faults"] == {fault: 1}
        assert [entry["fault"] for entry in state["last_requests"]].count(fault) == 1


async def test_faults_by_rate_and_path_are_the_same_for_a_seed() -> None:
    async def outcomes() -> list[str]:
        async with shop() as world:
            await world.fake.fail(0.3, "429", "500_before", seed=7, paths=["/v1/customers"])
            found = []
            for _ in range(40):
                answer = await world.fake.client.get("/v1/customers", headers=AUTHORIZED)
                found.append(str(answer.status_code))
                assert (await world.fake.client.get("/v1/prices", headers=AUTHORIZED)).status_code == 200
            return found

    first = await outcomes()
    assert {"200", "429", "500"} == set(first)
    assert first == await outcomes()


async def test_an_outage_ends_when_it_is_told_to() -> None:
    async with shop() as world:
        await world.fake.outage(True)
        await refusal(world.api.v1.customers.list_async({}, ONCE), stripe.APIConnectionError)
        await world.fake.outage(True, kinds=["500_before"])
        await refusal(world.api.v1.customers.list_async({}, ONCE), stripe.APIError)
        assert (await world.fake.client.get("/")).status_code == 200
        await world.fake.outage(False)
        assert (await world.api.v1.customers.list_async({}, ONCE)).data


NOT_UNDERSTOOD: list[tuple[str, object]] = [
    ("/clock", {"forward": 1}),
    ("/clock", {"advance_s": "a day"}),
    ("/faults", {"rate": 1, "kinds": ["flood"]}),
    ("/webhooks/release", {"order": "random"}),
    ("/events/none/resend", {}),
    ("/customers/none/payments", {"fail": True}),
    ("/settings", {"after_retries": "forget"}),
    ("/faults", []),
]


async def test_orders_that_the_fake_does_not_understand() -> None:
    async with stripe_fake() as fake:
        for path, body in NOT_UNDERSTOOD:
            answer = await fake.client.post(f"/_fake{path}", json=body)
            assert answer.status_code in (400, 404), path
            assert answer.json()["error"]["message"]


async def test_pages_of_other_sites_can_do_nothing() -> None:
    async with shop() as world:
        foreign = {"Origin": "https://evil.example"}
        for path in ("/", "/_fake/outage", await world.portal()):
            assert (await world.fake.client.post(path, data={"do": "outage_on"}, headers=foreign)).status_code == 403
        own = {"Origin": world.fake.url}
        assert (await world.fake.client.post("/", data={"do": "outage_on"}, headers=own)).status_code == 303
        assert BACK not in (await world.fake.client.get("/")).text


async def test_a_metered_price_needs_an_active_meter() -> None:
    async with shop() as world:
        await world.api.v1.billing.meters.deactivate_async(world.meter)
        product = (await world.api.v1.prices.retrieve_async(world.base)).product
        refused = await refusal(metered_price(world.api, str(product), world.meter, 1, "1"))
        assert refused["param"] == "recurring[meter]"
