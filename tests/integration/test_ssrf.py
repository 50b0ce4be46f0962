"""What FlowChat may not connect to: every way to write, name or redirect to it ends without a connection of a socket.

The vectors are those of `flowchat eval crawl --only ssrf`.
"""

from collections.abc import AsyncIterator
from contextlib import aclosing
from pathlib import Path

import pytest
import pytest_asyncio

from flowchat.errors import FlowChatError
from flowchat.evaluation import sockets, ssrf
from flowchat.evaluation.report import Options
from flowchat.net.fetch import Fetcher
from flowchat.net.webhook import Sender
from flowchat.settings import Settings

URLS = [url for urls in ssrf.VECTORS.values() for url in urls]


@pytest_asyncio.fixture
async def probe() -> AsyncIterator[ssrf.Probe]:
    async with ssrf.probing() as probe:
        yield probe


@pytest.mark.parametrize("kind", ssrf.VECTORS)
async def test_a_hostile_url_gets_no_connection(probe: ssrf.Probe, kind: str) -> None:
    outcomes = {url: await probe.direct(url) for url in ssrf.VECTORS[kind]}
    assert {url: outcome.connections for url, outcome in outcomes.items() if outcome.connections} == {}
    assert {outcome.code for outcome in outcomes.values()} <= {"address_not_public", "bad_url"}


async def test_a_redirect_to_it_gets_none_either(probe: ssrf.Probe) -> None:
    outcomes = {location: await probe.redirected(location) for location in ssrf.REDIRECTS}
    assert {to for outcome in outcomes.values() for to in outcome.connections} == {probe.own}
    answered = [location for location, outcome in outcomes.items() if outcome.code == ""]
    assert answered == ["http:/127.0.0.1/"]  # a path of the server that redirects to it
    assert {outcome.code for outcome in outcomes.values()} == {"address_not_public", "bad_url", ""}


@pytest.mark.parametrize("name", ssrf.REBINDING)
async def test_a_name_that_changes_its_mind_is_looked_up_once(probe: ssrf.Probe, name: str) -> None:
    first, second = await probe.direct(f"http://{name}/"), await probe.direct(f"http://{name}/")
    assert first.code == "fetch_failed"  # stopped on its way to the public address
    assert {host for host, _ in first.connections} <= {ssrf.PUBLIC_V4, ssrf.PUBLIC_V6}
    assert len(first.connections) == 1
    assert (second.code, second.connections) == ("address_not_public", ())
    assert probe.asked[name] == 2


async def test_the_counter_sees_connections_that_are_allowed(probe: ssrf.Probe) -> None:
    outcome = await probe.direct(f"http://{probe.own[0]}:{probe.own[1]}/not-hex")
    assert (outcome.code, outcome.connections) == ("", (probe.own,))
    outcome = await probe.direct("http://public.test/")
    assert outcome.connections == ((ssrf.PUBLIC_V4, 80), (ssrf.PUBLIC_V6, 80))
    assert probe.forbidden(outcome) == []


async def test_the_counter_would_see_forbidden_ones() -> None:
    settings = Settings(allow_private_hosts=("10.0.0.1", "localhost"))
    with sockets.connections() as seen, sockets.names(ssrf.NAMES):
        async with aclosing(Fetcher(settings)) as fetcher:
            for url in ("http://10.0.0.1:8080/", "https://localhost:1/"):
                with pytest.raises(FlowChatError):
                    await fetcher.fetch(url)
    assert seen == [("10.0.0.1", 8080), ("::1", 1), ("127.0.0.1", 1)]


@pytest.mark.parametrize("kind", ["loopback", "IPv4 inside IPv6", "names"])
async def test_webhooks_have_the_same_guard(kind: str) -> None:
    with sockets.connections() as seen, sockets.names(ssrf.NAMES):
        async with aclosing(Sender(Settings())) as sender:
            for url in ssrf.VECTORS[kind]:
                with pytest.raises(FlowChatError) as caught:
                    await sender.post(url.replace("http:", "https:"), {}, b"{}")
                assert caught.value.code == "address_not_public"
    assert seen == []


def test_the_evaluation() -> None:
    report = ssrf.run(Options(Path(), Path(), 0, 0))
    values = {measure.name: measure.value for measure in report.measures}
    assert report.ok
    assert values["vectors"] == len(URLS) + len(ssrf.REDIRECTS)
    assert len(set(URLS)) == len(URLS) >= ssrf.MIN_VECTORS
