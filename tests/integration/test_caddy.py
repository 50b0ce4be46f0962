"""Caddy with the Caddyfile that we ship, before a served appliance: streams, addresses, limits, HTTPS."""

import asyncio
import json
import os
import shutil
import ssl
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from httpx_sse import aconnect_sse
from web_server import QUESTION, TIMEOUT_S, Served, serving

import flowchat
from flowchat.evaluation.served import free_port

CADDYFILE = Path(flowchat.__file__).parent / "assets/operating/Caddyfile"
ROOT = "caddy/pki/authorities/local/root.crt"

pytestmark = pytest.mark.skipif(not shutil.which("caddy"), reason="no caddy on PATH: apt-get install caddy")


@dataclass
class Proxied:
    """An appliance as it is seen through Caddy at `url`."""

    served: Served
    url: str
    context: ssl.SSLContext

    def client(self, address: str = "127.0.0.1", *, http2: bool = False) -> httpx.AsyncClient:
        """A visitor at that address of loopback."""
        transport = httpx.AsyncHTTPTransport(verify=self.context, http2=http2, local_address=address)
        return httpx.AsyncClient(base_url=self.url, transport=transport, timeout=TIMEOUT_S)


@asynccontextmanager
async def proxied(folder: Path, **settings: Any) -> AsyncIterator[Proxied]:
    async with serving(folder / "data", trusted_proxies=("127.0.0.1",), **settings) as served:
        url = f"https://localhost:{free_port()}"
        environ = {**os.environ, "FLOWCHAT_PUBLIC_URL": url, "UPSTREAM": served.url.removeprefix("http://")}
        environ |= {"HOME": str(folder), "XDG_DATA_HOME": str(folder), "XDG_CONFIG_HOME": str(folder)}
        config = folder / "caddy.json"
        config.write_text(json.dumps(_for_a_test(_adapted(environ))))
        command = ["caddy", "run", "--config", str(config)]
        with (folder / "log.txt").open("w") as log:
            process = await asyncio.create_subprocess_exec(*command, env=environ, stderr=log)
        try:
            yield await _answering(served, url, folder / ROOT)
        finally:
            process.terminate()
            await process.wait()


def _adapted(environ: dict[str, str]) -> dict[str, Any]:
    command = ["caddy", "adapt", "--config", str(CADDYFILE), "--adapter", "caddyfile"]
    done = subprocess.run(command, env=environ, capture_output=True, text=True, check=True)
    assert "warn" not in done.stderr, done.stderr
    adapted: dict[str, Any] = json.loads(done.stdout)
    return adapted


def _for_a_test(config: dict[str, Any]) -> dict[str, Any]:
    """Ports of its own, and its certificates trusted by nobody else."""
    config["admin"] = {"disabled": True}
    config["apps"]["http"] |= {"http_port": free_port()}
    config["apps"]["pki"] = {"certificate_authorities": {"local": {"install_trust": False}}}
    return config


async def _answering(served: Served, url: str, certificate: Path) -> Proxied:
    """Once it has made its certificates, which takes longer than listening."""
    async with asyncio.timeout(TIMEOUT_S):
        while True:
            try:
                it = Proxied(served, url, ssl.create_default_context(cafile=str(certificate)))
                async with it.client() as client:
                    await client.get("/health/live")
                    return it
            except (FileNotFoundError, ssl.SSLError, httpx.ConnectError):
                await asyncio.sleep(0.05)


@pytest.mark.parametrize("http2", [False, True])
async def test_answers_come_as_they_are_made(tmp_path: Path, http2: bool) -> None:
    async with proxied(tmp_path) as it, it.client(http2=http2) as client:
        go_on = it.served.answerer.hold_back()
        asked = aconnect_sse(client, "POST", "/v1/chat", json=QUESTION, headers=it.served.headers())
        async with asked as source:
            names = []
            async for event in source.aiter_sse():
                names.append(event.event)
                if event.event == "generation.token":
                    go_on.set()  # until then the rest is not made
        assert names[-1] == "stream.done"
        assert source.response.http_version == ("HTTP/2" if http2 else "HTTP/1.1")
        await it.served.answerer.until_running(0)


async def test_visitors_that_go_away_are_noticed(tmp_path: Path) -> None:
    async with proxied(tmp_path) as it:
        it.served.answerer.hold_back()
        async with (
            it.client() as client,
            aconnect_sse(client, "POST", "/v1/chat", json=QUESTION, headers=it.served.headers()) as source,
        ):
            await anext(source.aiter_sse())
        await it.served.answerer.until_running(0)


async def test_visitors_have_addresses_that_they_can_not_choose(tmp_path: Path) -> None:
    async with proxied(tmp_path, questions_per_minute=1) as it:
        codes = []
        for address, told in [("127.0.0.2", ""), ("127.0.0.2", "203.0.113.9"), ("127.0.0.3", "127.0.0.2")]:
            headers = {**it.served.headers(), **({"X-Forwarded-For": told} if told else {})}
            async with it.client(address) as client:
                codes.append((await client.post("/v1/chat", json=QUESTION, headers=headers)).status_code)
    assert codes == [200, 429, 200]


async def test_headers_and_limits(tmp_path: Path) -> None:
    async with proxied(tmp_path) as it, it.client() as client:
        page = await client.get("/docs/overview", headers={"Accept-Encoding": "gzip"})
        assert (page.status_code, page.headers["Content-Encoding"]) == (200, "gzip")
        assert page.headers["Strict-Transport-Security"] == "max-age=31536000"
        assert "Server" not in page.headers
        assert (await client.get("/", headers={"X-Long": "x" * 40_000})).status_code == 431
        upload = {"Authorization": f"Bearer {it.served.admin}"}
        files = {"file": ("large.txt", b"x" * 26_000_000)}
        too_large = await client.post("/v1/sources/shop/documents", headers=upload, files=files)
        assert too_large.status_code in (413, 502)  # 502 of a Caddy that was still sending when FlowChat refused
