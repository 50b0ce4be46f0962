"""Fetching what has been fetched before: validators go out, and an unchanged page costs no body."""

from contextlib import aclosing

import pytest
from loopback import Server, answer, fetch, redirect, serving, settings

from flowchat.net.fetch import Fetcher

PAGE = b"<p>Hello</p>" * 100
DATE = "Wed, 21 Oct 2015 07:28:00 GMT"


def sent(server: Server) -> list[dict[str, str]]:
    """The conditions of each request."""
    heads = [request.lower().splitlines()[1:] for request in server.requests]
    fields = [dict(line.split(": ", 1) for line in head if line) for head in heads]
    return [{name: field[name] for name in field if name.startswith("if-")} for field in fields]


@pytest.mark.parametrize("etag", ['"abc"', 'W/"abc"', '""', "unquoted", '"\u00e4"'])
async def test_validators_are_kept_and_sent_back(etag: str) -> None:
    async with serving() as server, aclosing(Fetcher(settings())) as fetcher:
        server.answers["/"] = answer(PAGE, ETag=etag, Last_Modified=DATE)
        first = await fetcher.fetch(server.url)
        assert (first.etag, first.last_modified) == (etag, DATE)
        await fetcher.fetch(server.url, etag=first.etag, last_modified=first.last_modified)
    assert sent(server) == [{}, {"if-none-match": etag.lower(), "if-modified-since": DATE.lower()}]


async def test_an_unchanged_page_has_no_body() -> None:
    async with serving() as server, aclosing(Fetcher(settings())) as fetcher:
        server.answers |= {"/new": answer(PAGE), "/same": b'HTTP/1.1 304 Not Modified\r\nETag: "b"\r\n\r\n'}
        await fetcher.fetch(server.url + "/new")
        assert (fetcher.bodies, fetcher.bytes) == (1, len(PAGE))
        same = await fetcher.fetch(server.url + "/same", etag='"a"')
        assert (same.status, same.body, same.etag) == (304, b"", '"b"')
        await fetcher.fetch(server.url + "/same", last_modified=DATE)
        assert (fetcher.bodies, fetcher.bytes) == (1, len(PAGE))
        assert server.connections == 1
    assert sent(server) == [{}, {"if-none-match": '"a"'}, {"if-modified-since": DATE.lower()}]


async def test_validators_are_for_the_address_itself() -> None:
    async with serving() as server, aclosing(Fetcher(settings())) as fetcher:
        server.answers |= {"/a": redirect("/b"), "/b": answer(PAGE)}
        await fetcher.fetch(server.url + "/a", headers={"X-A": "1"}, etag='"a"', last_modified=DATE)
    assert [bool(conditions) for conditions in sent(server)] == [True, False]
    assert all("x-a: 1" in request.lower() for request in server.requests)


@pytest.mark.parametrize("etag", ["", "x" * 2000, '"\tab"'])
async def test_validators_that_cannot_be_sent_back(etag: str) -> None:
    async with serving() as server:
        server.answers["/"] = answer(PAGE, ETag=etag)
        fetched = await fetch(server.url)
    assert (fetched.etag, fetched.last_modified) == (None, None)


async def test_bytes_of_failures_and_redirects_count_too() -> None:
    async with serving() as server, aclosing(Fetcher(settings(max_bytes=1000))) as fetcher:
        server.answers |= {"/a": redirect("/b"), "/b": answer(b"x" * 5000)}
        with pytest.raises(Exception, match="larger than 1000"):
            await fetcher.fetch(server.url + "/a")
        assert fetcher.bodies == 2
        assert fetcher.bytes >= len(b"moved") + 1000
