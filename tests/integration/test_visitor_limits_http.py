"""POST /v1/chat over real HTTP: questions a minute of clients, visitors and keys, behind proxies and without."""

from pathlib import Path

import pytest
from web_server import QUESTION, serving

from flowchat.services.key_requests import LimitsFields
from flowchat.web import create_web


async def test_too_many_questions_a_minute(tmp_path: Path) -> None:
    async with serving(tmp_path, questions_per_minute=2, trusted_proxies=("127.0.0.0/8",)) as served:
        allowed = [(await served.ask(X_Forwarded_For="203.0.113.1, 127.0.0.2")).status_code for _ in range(2)]
        refused = await served.ask(X_Forwarded_For="203.0.113.1")
        forged = await served.ask(X_Forwarded_For="198.51.100.7, 203.0.113.1")
        neighbour = await served.ask(X_Forwarded_For="203.0.113.2")
    assert allowed == [200, 200]
    assert (refused.status_code, refused.json()["code"]) == (429, "rate_limited")
    assert 1 <= int(refused.headers["Retry-After"]) <= 60
    assert refused.headers["RateLimit"].startswith('"questions";r=0;t=')
    assert (forged.status_code, neighbour.status_code) == (429, 200)


async def test_forwarded_addresses_of_strangers_are_not_believed(tmp_path: Path) -> None:
    async with serving(tmp_path, questions_per_minute=1, trusted_proxies=("203.0.113.0/24",)) as served:
        first = await served.ask(X_Forwarded_For="203.0.113.1")
        second = await served.ask(X_Forwarded_For="203.0.113.2")
    assert (first.status_code, second.status_code) == (200, 429)


async def test_a_trusted_proxy_that_a_socket_for_both_kinds_of_addresses_sees(tmp_path: Path) -> None:
    async with serving(tmp_path, questions_per_minute=1, trusted_proxies=("127.0.0.1",)) as served:
        client = create_web(served.app).test_client()
        statuses = [
            (
                await client.post(
                    "/v1/chat",
                    json=QUESTION,
                    headers=served.headers(Accept="application/json", X_Forwarded_For=f"203.0.113.{host}"),
                    scope_base={"client": ("::ffff:127.0.0.1", 50001)},
                )
            ).status_code
            for host in (1, 1, 2)
        ]
    assert statuses == [200, 429, 200]


async def test_a_key_limits_each_visitor_behind_one_proxy(tmp_path: Path) -> None:
    """Two servers' worth of addresses: 2 x 254 visitors, each with a limit of their own."""
    visitors = [f"{network}.{host}" for network in ("198.51.100", "203.0.113") for host in range(1, 255)]
    async with serving(tmp_path, trusted_proxies=("127.0.0.1",)) as served:
        await served.widget_key(sources=("shop",), limits=LimitsFields(visitor_per_minute=1))
        first = [(await served.ask(X_Forwarded_For=visitor)).status_code for visitor in visitors]
        second = [await served.ask(X_Forwarded_For=visitor) for visitor in visitors[::50]]
    assert set(first) == {200}
    assert {response.status_code for response in second} == {429}
    assert second[0].headers["RateLimit-Policy"] == '"questions";q=120;w=60, "visitor";q=1;w=60'
    assert '"visitor";r=0;' in second[0].headers["RateLimit"]


async def test_visitors_at_one_address_are_told_apart_by_their_ids(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        await served.widget_key(sources=("shop",), limits=LimitsFields(visitor_per_minute=1))
        statuses = [
            (await served.ask({**QUESTION, **fields})).status_code
            for fields in ({"visitor_id": "v1"}, {"visitor_id": "v2"}, {}, {"visitor_id": ""}, {"visitor_id": "v2"})
        ]
        refused = await served.ask({**QUESTION, "visitor_id": "v1"})
    assert statuses == [200, 200, 200, 429, 429]
    assert '"visitor";r=0;' in refused.headers["RateLimit"]


async def test_invented_visitor_ids_gain_nothing_beyond_the_limit_of_the_address(tmp_path: Path) -> None:
    async with serving(tmp_path, questions_per_minute=3) as served:
        await served.widget_key(sources=("shop",), limits=LimitsFields(visitor_per_minute=1))
        responses = [await served.ask({**QUESTION, "visitor_id": f"v{number}"}) for number in range(5)]
    assert [response.status_code for response in responses] == [200, 200, 200, 429, 429]
    assert '"questions";r=0;' in responses[-1].headers["RateLimit"]


async def test_a_key_limits_all_its_visitors_together(tmp_path: Path) -> None:
    async with serving(tmp_path, trusted_proxies=("127.0.0.1",)) as served:
        await served.widget_key(sources=("shop",), limits=LimitsFields(per_minute=3))
        statuses = [(await served.ask(X_Forwarded_For=f"203.0.113.{host}")).status_code for host in range(1, 5)]
        await served.widget_key(sources=("shop",))
        other_key = await served.ask(X_Forwarded_For="203.0.113.5")
    assert (statuses, other_key.status_code) == ([200, 200, 200, 429], 200)


@pytest.mark.parametrize(
    "same_visitor",
    [
        ("2001:db8:1:2::1", "2001:db8:1:2:ffff::9"),  # one /64
        ("203.0.113.1:50001", "203.0.113.1:50002"),  # a proxy that adds the port
        ("[2001:db8::1]:443", "2001:db8::1"),
        ("::ffff:203.0.113.1", "203.0.113.1"),
    ],
)
async def test_one_visitor_has_many_spellings(tmp_path: Path, same_visitor: tuple[str, str]) -> None:
    async with serving(tmp_path, questions_per_minute=1, trusted_proxies=("127.0.0.1",)) as served:
        statuses = [(await served.ask(X_Forwarded_For=address)).status_code for address in same_visitor]
    assert statuses == [200, 429]
