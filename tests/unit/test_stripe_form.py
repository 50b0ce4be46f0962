"""What the fake of Stripe makes of forms and parameters."""

from collections import OrderedDict
from typing import Any
from urllib.parse import urlencode

import pytest
from stripe._encode import _api_encode  # what the library sends

from flowchat.stripe_fake.fields import (
    address,
    decimal,
    flag,
    hash_of,
    list_of,
    merged,
    needed,
    one_of,
    pairs,
    read,
    text,
    unset,
    whole,
)
from flowchat.stripe_fake.form import decode
from flowchat.stripe_fake.refusals import Malformed

FIELDS = {
    "name": needed(text),
    "active": flag,
    "amount": whole,
    "price": decimal,
    "interval": one_of("month", "year"),
    "note": unset(text),
    "metadata": pairs,
    "url": address,
    "items": list_of(hash_of({"price": needed(text), "quantity": whole})),
}


@pytest.mark.parametrize(
    ("form", "decoded"),
    [
        ("a=1", {"a": "1"}),
        ("a[b]=1&a[c][d]=2", {"a": {"b": "1", "c": {"d": "2"}}}),
        ("a[0][b]=1&a[1][b]=2", {"a": {"0": {"b": "1"}, "1": {"b": "2"}}}),
        ("a[]=1&a[]=2", {"a": {"0": "1", "1": "2"}}),
        ("a%5Bb%5D=%C3%A4+%26", {"a": {"b": "ä &"}}),
        ("a=", {"a": ""}),
        ("", {}),
    ],
)
def test_forms(form: str, decoded: dict[str, Any]) -> None:
    assert decode(form) == decoded


@pytest.mark.parametrize("form", ["a[b=1", "a]b=1", "[a]=1", "=1", "a=1&a[b]=2", "a[b]=2&a=1"])
def test_forms_that_mean_nothing(form: str) -> None:
    with pytest.raises(Malformed):
        decode(form)


def test_what_the_library_sends_is_read_as_it_was_given() -> None:
    given = {
        "name": "a=b&c[d]",
        "active": True,
        "amount": 29,
        "price": "0.125",
        "interval": "month",
        "note": "",
        "metadata": {"plan": "1"},
        "url": "https://example.com/?a=b",
        "items": [{"price": "p", "quantity": 2}, OrderedDict(price="q")],
    }
    assert read(FIELDS, decode(urlencode(list(_api_encode(given))))) == {**given, "note": None}


@pytest.mark.parametrize(
    ("raw", "code", "param", "message"),
    [
        ({}, "parameter_missing", "name", "Missing required param: name."),
        ({"name": "a", "x": "1"}, "parameter_unknown", "x", "Received unknown parameter: x"),
        ({"name": "a", "x": "1", "y": "1"}, "parameter_unknown", "x", "Received unknown parameters: x, y"),
        ({"name": ""}, "parameter_invalid_empty", "name", "You passed an empty string for 'name'."),
        ({"name": "a", "amount": "1.5"}, "parameter_invalid_integer", "amount", "Invalid integer: 1.5"),
        ({"name": "a", "active": "yes"}, None, "active", "Invalid boolean: yes"),
        ({"name": "a", "price": "nan"}, None, "price", "Invalid decimal: nan"),
        ({"name": "a", "price": "0.1234567890123"}, None, "price", "Invalid decimal: 0.1234567890123"),
        ({"name": "a", "interval": "day"}, None, "interval", "Invalid interval: must be one of month, or year"),
        ({"name": "a", "url": "ftp://a"}, "url_invalid", "url", "Not a valid URL"),
        ({"name": {"a": "b"}}, None, "name", "Invalid string"),
        ({"name": "a", "metadata": "b"}, None, "metadata", "Invalid object"),
        ({"name": "a", "items": {"x": {}}}, None, "items", "Invalid array"),
        ({"name": "a", "items": {"0": {}}}, "parameter_missing", "items[0][price]", "Missing required param"),
        (
            {"name": "a", "items": {"0": {"price": "p", "z": ""}}},
            "parameter_unknown",
            "items[0][z]",
            "Received unknown",
        ),
        ({"name": "a" * 5001}, None, "name", "Invalid string: aaaaaaaaaaaaaaaaaaaa...aaaaaaaaaa; must be at most"),
    ],
)
def test_parameters_that_are_refused(raw: dict[str, Any], code: str | None, param: str, message: str) -> None:
    with pytest.raises(Malformed) as refused:
        read(FIELDS, raw)
    assert (refused.value.error.get("code"), refused.value.error["param"]) == (code, param)
    assert refused.value.error["message"].startswith(message)


def test_metadata_is_merged() -> None:
    before = {"a": "1", "b": "2"}
    assert merged(before, None) == before
    assert merged(before, {"b": "", "c": "3"}) == {"a": "1", "c": "3"}
    assert merged(before, {}) == {}
