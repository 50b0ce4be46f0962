"""What is wrong with a request is said in plain words, with the name of the field."""

import re
from typing import Annotated, Any, Literal

import jsonschema_rs
import msgspec
import pytest
from msgspec import Meta

from flowchat.errors import FlowChatError
from flowchat.net import urls
from flowchat.services import validate
from flowchat.services.fields import TEXT_PATTERN, HttpUrl, Locale, Slug
from flowchat.services.key_requests import NewKey
from flowchat.services.source_requests import NewSource


class Inner(msgspec.Struct, frozen=True):
    depth: Annotated[int, Meta(ge=0)] = 0


class Thing(msgspec.Struct, forbid_unknown_fields=True):
    url: HttpUrl
    locale: Locale | None = None
    count: Annotated[int, Meta(ge=1, le=5)] = 1
    name: Annotated[str, Meta(min_length=1, max_length=3)] = "x"
    kind: Literal["a", "b"] = "a"
    tags: Annotated[tuple[str, ...], Meta(max_length=2)] = ()
    texts: dict[Annotated[str, Meta(max_length=3)], str] = {}
    inner: Inner = Inner()


class Filter(msgspec.Struct):
    day: Literal["mon", "tue"] | None = None
    search: str | None = None
    limit: Annotated[int, Meta(ge=1)] = 20
    open: bool = False
    since: str = msgspec.field(default="", name="from")


URL = {"url": "https://example.com/"}


@pytest.mark.parametrize(
    ("change", "param", "message"),
    [
        ({"url": 5}, "url", "url must be text, not a whole number."),
        ({"url": "ftp://example.com"}, "url", "url must be an address like"),
        ({"locale": "--"}, "locale", "locale must be a BCP 47 language tag"),
        ({"locale": "en\n"}, "locale", "locale must be a BCP 47 language tag"),
        ({"count": 0}, "count", "count must be at least 1."),
        ({"count": 6}, "count", "count must be at most 5."),
        ({"count": True}, "count", "count must be a whole number, not true or false."),
        ({"name": ""}, "name", "name must have at least 1 character."),
        ({"name": "long"}, "name", "name must have at most 3 characters."),
        ({"kind": "c"}, "kind", "kind can't be 'c'."),
        ({"tags": ["a", "b", "c"]}, "tags", "tags must have at most 2 entries."),
        ({"tags": ["a", None]}, "tags", "tags must be text, not null."),
        ({"texts": {"long": "x"}}, "texts", "texts must have at most 3 characters."),
        ({"inner": {"depth": -1}}, "inner", "inner must be at least 0."),
        ({"colour": 1}, "colour", "There is no field colour here."),
    ],
)
def test_what_is_wrong(change: dict[str, Any], param: str, message: str) -> None:
    with pytest.raises(FlowChatError) as caught:
        validate.read({**URL, **change}, Thing)
    assert (caught.value.status, caught.value.param) == (400, param)
    assert caught.value.message.startswith(message)


def test_what_is_missing() -> None:
    with pytest.raises(FlowChatError, match=r"url is missing\.") as caught:
        validate.read({}, Thing)
    assert (caught.value.code, caught.value.param) == ("bad_url", "url")
    with pytest.raises(FlowChatError, match="The request must be an object, not a list") as caught:
        validate.read([], Thing)
    assert (caught.value.code, caught.value.param) == ("bad_request", None)


def test_queries() -> None:
    read = validate.read_query({"search": "null", "limit": "5", "open": "true", "from": "2026"}, Filter)
    assert read == Filter(search="null", limit=5, open=True, since="2026")
    for arguments in (
        {"day": "null"},
        {"day": "wed"},
        {"limit": "x"},
        {"limit": "0"},
        {"limit": ""},
        {"open": "x"},
        {"serch": "x"},
        {"since": "x"},
    ):
        with pytest.raises(FlowChatError) as caught:
            validate.read_query(arguments, Filter)
        assert caught.value.param == next(iter(arguments))


@pytest.mark.parametrize(
    ("url", "is_good"),
    [
        ("https://example.com", True),
        ("http://localhost:8080/docs/?a=b#c", True),
        ("http://127.0.0.1:65535/", True),
        ("https://example.com/größe", True),
        ("https://xn--mnchen-3ya.de/", True),
        ("https://example.com:65536", False),
        ("http://256.1.1.1/", False),
        ("https://user:password@example.com/", False),
        ("https://exa mple.com", False),
        ("https://example.com/\n", False),
        ("javascript:alert(1)", False),
        ("//example.com", False),
        ("", False),
    ],
)
def test_urls(url: str, is_good: bool) -> None:
    if is_good:
        assert validate.read({"url": url}, Thing).url == url
        assert urls.normalise(url)
    else:
        with pytest.raises(FlowChatError):
            validate.read({"url": url}, Thing)


@pytest.mark.parametrize("text", ["", " ", "\n", "\x1e", "\x85", "\ufeff", "\u2003"])
def test_blank_texts_are_the_same_to_python_and_json_schema(text: str) -> None:
    assert not re.search(TEXT_PATTERN, text)
    assert not jsonschema_rs.is_valid({"pattern": TEXT_PATTERN}, text)
    assert re.search(TEXT_PATTERN, f"{text}x")
    assert jsonschema_rs.is_valid({"pattern": TEXT_PATTERN}, f"{text}x")


@pytest.mark.parametrize(("slug", "is_good"), [("a", True), ("a-1", True), ("-a", False), ("a\n", False), ("A", False)])
def test_slugs(slug: str, is_good: bool) -> None:
    decoder = msgspec.json.Decoder(Slug)
    if is_good:
        assert decoder.decode(msgspec.json.encode(slug)) == slug
    else:
        with pytest.raises(msgspec.ValidationError):
            decoder.decode(msgspec.json.encode(slug))


@pytest.mark.parametrize(
    ("payload", "request_type", "param", "told"),
    [
        ({"type": "widget", "caps": {"daly": 5}}, NewKey, "caps.daly", "Did you mean daily?"),
        ({"type": "wigdet"}, NewKey, "type", "It must be admin, operator or widget."),
        ({"type": "admin", "scopes": ["all"]}, NewKey, "scopes", "It must be billing, read or write."),
        ({"type": "admin", "expires_at": "2030-01-31"}, NewKey, "expires_at", "such as 2030-01-31T12:00:00Z"),
        ({"uri": "https://example.com/"}, NewSource, "uri", "Did you mean url?"),
        ({"schedule": "every day"}, NewSource, "schedule", "It must be daily, hourly, monthly or weekly."),
        ({"zzz": 1}, NewSource, "zzz", "There is url, slug, name,"),
    ],
)
def test_what_would_be_right_is_told(payload: dict[str, object], request_type: Any, param: str, told: str) -> None:
    with pytest.raises(FlowChatError) as caught:
        validate.read(payload, request_type)
    assert (caught.value.status, caught.value.param) == (400, param)
    assert told in caught.value.message
