"""What plans cost in Stripe's terms."""

from decimal import Decimal

import pytest

from flowchat.billing import Plan, Prices, parse_money
from flowchat.net.stripe_api.customers import Item, changed_items
from flowchat.services.stripe_prices import amount, wanted_prices

PLAN = Plan(
    id="pln_1",
    slug="starter",
    name="Starter",
    included_queries=1000,
    included_pages=0,
    prices=Prices(
        monthly_fee_nano=parse_money("29"),
        per_1000_queries_nano=parse_money("2.50"),
        per_1000_pages_nano=parse_money("0.40"),
    ),
)


def plan(**changes: object) -> Plan:
    return Plan(**{**{name: getattr(PLAN, name) for name in Plan.__dataclass_fields__}, **changes})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("money", "per", "currency", "coins"),
    [
        ("29", 1, "usd", "2900"),
        ("2.50", 1000, "usd", "0.25"),
        ("0.000000001", 1000, "usd", "0.0000000001"),  # the finest there is: Stripe takes twelve decimals
        ("120", 1, "jpy", "120"),
        ("1.5", 1, "kwd", "1500"),
        ("1000000", 1, "usd", "100000000"),
    ],
)
def test_amounts_are_in_the_smallest_coins(money: str, per: int, currency: str, coins: str) -> None:
    assert amount(parse_money(money), per, currency) == coins
    assert -(Decimal(coins).as_tuple().exponent) <= 12  # type: ignore[operator]


def test_a_fee_and_two_metered_prices() -> None:
    base, queries, pages = wanted_prices(PLAN, "usd")
    assert (base.lookup_key, base.metric) == ("flowchat_pln_1_base", None)
    assert base.terms == {"currency": "usd", "unit_amount_decimal": "2900"}
    assert (queries.lookup_key, queries.metric) == ("flowchat_pln_1_queries", "queries")
    assert queries.terms["tiers"] == [
        {"up_to": 1000, "unit_amount_decimal": "0"},
        {"up_to": "inf", "unit_amount_decimal": "0.25"},
    ]
    assert queries.text == "1000 queries a month are free, then 2.50 usd for 1,000"
    assert pages.terms == {"currency": "usd", "unit_amount_decimal": "0.04"}


def test_what_can_never_be_billed_has_no_price() -> None:
    assert wanted_prices(plan(prices=Prices()), "usd") == []
    assert [price.role for price in wanted_prices(plan(overage="stop"), "usd")] == ["base"]
    assert [price.role for price in wanted_prices(plan(included_queries=None), "usd")] == ["base", "pages"]


def test_prices_are_the_same_as_long_as_their_terms_are() -> None:
    fingerprints = [price.fingerprint for price in wanted_prices(PLAN, "usd")]
    assert [price.fingerprint for price in wanted_prices(plan(name="Begin", description="x"), "usd")] == fingerprints
    others = wanted_prices(plan(included_queries=2000), "usd")
    assert [price.fingerprint in fingerprints for price in others] == [True, False, True]
    assert not {price.fingerprint for price in wanted_prices(PLAN, "eur")} & set(fingerprints)


def test_what_changes_of_a_subscription() -> None:
    present = [Item("si_1", "price_1", "pln_1", "base"), Item("si_2", "price_2", "pln_1", "queries")]
    foreign = Item("si_9", "price_9", "", "")
    assert changed_items([*present, foreign], {"base": "price_3", "pages": "price_4"}) == [
        {"id": "si_1", "price": "price_3"},
        {"id": "si_2", "deleted": True},
        {"price": "price_4"},
    ]
