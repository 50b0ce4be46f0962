"""Prices: recurring or not, each or by tiers, and the lookup keys that one of them has at a time."""

from decimal import Decimal

from flowchat.stripe_fake.calls import Call, given, retrieving
from flowchat.stripe_fake.fields import (
    EXPAND,
    PAGE,
    SINCE,
    decimal,
    flag,
    hash_of,
    list_of,
    merged,
    needed,
    one_of,
    pairs,
    text,
    unset,
    whole,
)
from flowchat.stripe_fake.lists import page
from flowchat.stripe_fake.refusals import Refusal
from flowchat.stripe_fake.state import Json, State, new_id

_MOST_LOOKUP_KEYS = 10  # in one request
_CURRENCY_LENGTH = 3

_PRICE = {"active": flag, "lookup_key": unset(text), "metadata": pairs, "nickname": unset(text)}
_TIER = {"up_to": needed(text), "unit_amount": whole, "unit_amount_decimal": decimal, "flat_amount": whole}
_RECURRING = {
    "interval": needed(one_of("day", "month", "week", "year")),
    "interval_count": whole,
    "meter": text,
    "usage_type": one_of("licensed", "metered"),
}
_NEW_PRICE = {
    **_PRICE,
    "currency": needed(text),
    "product": needed(text),
    "billing_scheme": one_of("per_unit", "tiered"),
    "recurring": hash_of(_RECURRING),
    "tax_behavior": one_of("exclusive", "inclusive", "unspecified"),
    "tiers": list_of(hash_of(_TIER)),
    "tiers_mode": one_of("graduated"),
    "transfer_lookup_key": flag,
    "unit_amount": whole,
    "unit_amount_decimal": decimal,
}


def _create_price(state: State, params: Json) -> Json:
    state.get("product", params["product"], param="product", status=400)
    recurring = _recurring(state, params.get("recurring"))
    amounts = _amounts(params)
    currency = _currency(params["currency"])
    key = params.get("lookup_key")
    _take_lookup_key(state, key, transfers=params.get("transfer_lookup_key", False))
    price = {
        "id": new_id("price"),
        "object": "price",
        "active": params.get("active", True),
        "billing_scheme": params.get("billing_scheme", "per_unit"),
        "created": state.now(),
        "currency": currency,
        "custom_unit_amount": None,
        "livemode": False,
        "lookup_key": key,
        "metadata": params.get("metadata", {}),
        "nickname": params.get("nickname"),
        "product": params["product"],
        "recurring": recurring,
        "tax_behavior": params.get("tax_behavior", "unspecified"),
        "tiers_mode": params.get("tiers_mode"),
        "transform_quantity": None,
        "type": "recurring" if recurring else "one_time",
        **amounts,
    }
    state.emit("price.created", state.add("price", price))
    return price


def _recurring(state: State, given: Json | None) -> Json | None:
    if given is None:
        return None
    is_metered = given.get("usage_type") == "metered"
    if is_metered and "meter" not in given:
        message = "Prices with `recurring[usage_type]=metered` must be backed by meters: pass `recurring[meter]`."
        raise Refusal(message, param="recurring[meter]")
    if "meter" in given:
        meter = state.get("meter", given["meter"], param="recurring[meter]", status=400)
        if meter["status"] != "active" or not is_metered:
            why = "is not active" if is_metered else "needs `recurring[usage_type]=metered`"
            raise Refusal(f"The meter {meter['id']} can't be used for this price: it {why}.", param="recurring[meter]")
    return {
        "interval": given["interval"],
        "interval_count": given.get("interval_count", 1),
        "meter": given.get("meter"),
        "trial_period_days": None,
        "usage_type": given.get("usage_type", "licensed"),
    }


def _amounts(params: Json) -> Json:
    has_amount = [name for name in ("unit_amount", "unit_amount_decimal") if name in params]
    if params.get("billing_scheme") == "tiered":
        if has_amount:
            raise Refusal(f"You may not specify `{has_amount[0]}` for a tiered price.", param=has_amount[0])
        for name in ("tiers", "tiers_mode"):
            if not params.get(name):
                raise Refusal(f"Missing required param: {name}.", code="parameter_missing", param=name)
        return {"unit_amount": None, "unit_amount_decimal": None, "tiers": _tiers(params["tiers"])}
    if "tiers" in params or "tiers_mode" in params:
        raise Refusal("`tiers` need `billing_scheme=tiered`.", param="tiers")
    if len(has_amount) != 1:
        message = "You must specify exactly one of `unit_amount` and `unit_amount_decimal`."
        raise Refusal(message, param="unit_amount")
    exact = Decimal(params[has_amount[0]])
    if exact < 0:
        message = "Invalid non-negative integer"
        raise Refusal(message, code="parameter_invalid_integer", param=has_amount[0])
    return _amount(exact)


def _amount(exact: Decimal) -> Json:
    """A price each, in the smallest coin: whole where it is, and to the last place."""
    return {
        "unit_amount": int(exact) if exact == int(exact) else None,
        "unit_amount_decimal": f"{exact:f}",
    }


def _tiers(given: list[Json]) -> list[Json]:
    tiers: list[Json] = []
    for place, tier in enumerate(given):
        is_last = place == len(given) - 1
        name = f"tiers[{place}][up_to]"
        if (tier["up_to"] == "inf") != is_last:
            raise Refusal("The last tier, and no other, has `up_to=inf`.", param=name)
        if not is_last and (not tier["up_to"].isdecimal() or int(tier["up_to"]) <= _upper(tiers)):
            raise Refusal(f"Invalid {name}: tiers must go up: {tier['up_to']}", param=name)
        flat = tier.get("flat_amount")
        each = tier.get("unit_amount", tier.get("unit_amount_decimal"))
        if each is None and flat is None:
            raise Refusal(f"tiers[{place}] needs a `unit_amount` or a `flat_amount`.", param=f"tiers[{place}]")
        unit = _amount(Decimal(each)) if each is not None else {"unit_amount": None, "unit_amount_decimal": None}
        tiers.append(
            {
                **unit,
                "flat_amount": flat,
                "flat_amount_decimal": None if flat is None else str(flat),
                "up_to": None if is_last else int(tier["up_to"]),
            }
        )
    return tiers


def _upper(tiers: list[Json]) -> int:
    return int(tiers[-1]["up_to"]) if tiers else 0


def _currency(code: str) -> str:
    if len(code) != _CURRENCY_LENGTH or not code.isalpha():
        raise Refusal(f"Invalid currency: {code}.", param="currency")
    return code.lower()


def _take_lookup_key(state: State, key: str | None, *, transfers: bool) -> None:
    """Also from a price that is no longer active. Raises Refusal where another has it and keeps it."""
    if key is None:
        return
    for holder in state.all("price"):
        if holder["lookup_key"] == key:
            if not transfers:
                raise Refusal(f"A price (`{holder['id']}`) already uses that lookup key.", param="lookup_key")
            with state.changing(holder, "price.updated"):
                holder["lookup_key"] = None


def _update_price(state: State, params: Json) -> Json:
    price = state.get("price", params["id"])
    if params.get("lookup_key") not in (None, price["lookup_key"]):
        _take_lookup_key(state, params["lookup_key"], transfers=params.get("transfer_lookup_key", False))
    metadata = merged(price["metadata"], params.get("metadata"))
    with state.changing(price, "price.updated"):
        price.update(given(params, *_PRICE), metadata=metadata)
    return price


def _list_prices(state: State, params: Json) -> Json:
    keys = params.get("lookup_keys")
    if keys and len(keys) > _MOST_LOOKUP_KEYS:
        message = f"You may only specify up to {_MOST_LOOKUP_KEYS} lookup keys."
        raise Refusal(message, param="lookup_keys")
    found = [
        price
        for price in state.all("price")
        if (keys is None or price["lookup_key"] in keys)
        and params.get("active") in (None, price["active"])
        and params.get("product") in (None, price["product"])
        and params.get("type") in (None, price["type"])
        and params.get("currency") in (None, price["currency"])
    ]
    return page("/v1/prices", found, params, "price")


_LISTED_PRICES = {
    **PAGE,
    **SINCE,
    "active": flag,
    "currency": text,
    "lookup_keys": list_of(text),
    "product": text,
    "type": one_of("one_time", "recurring"),
}
CALLS = (
    Call("POST", "/v1/prices", _create_price, {**_NEW_PRICE, **EXPAND}),
    Call("GET", "/v1/prices", _list_prices, {**_LISTED_PRICES, **EXPAND}),
    Call("GET", "/v1/prices/<id>", retrieving("price"), EXPAND),
    Call("POST", "/v1/prices/<id>", _update_price, {**_PRICE, "transfer_lookup_key": flag, **EXPAND}),
)
