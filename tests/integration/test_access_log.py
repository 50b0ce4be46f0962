"""A line of the log for every request, and the request's id wherever its work goes."""

import json
from pathlib import Path

from conversing import with_pipeline
from crawling import crawled, html, site
from log_reading import Log, reading_log
from loopback import Reader, Writer
from loopback import serving as listening
from web_server import Served, serving

from flowchat.answer.pipeline import Answerer
from flowchat.engines.generator_openai import OpenAIGenerator
from flowchat.net.openai_stream import stream_chat

QUESTION = "May I return it within thirty days?"
ACCESS = "flowchat.web.access_log"


def requests_of(log: Log) -> list[tuple[str, str, str, int]]:
    """(level, method, route, status), first come first."""
    return [
        (entry["level"], entry["method"], entry["route"], entry["status"])
        for entry in log.entries
        if entry["logger"] == ACCESS
    ]


async def test_every_request_has_a_line(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        with reading_log() as log:
            await served.ask()
            await served.call("GET", "/v1/sources?limit=3")
            await served.call("GET", "/v1/sources/shop")
            await served.client.get("/nowhere/some-name")
            await served.client.request("BREW", "/")
            await served.client.get("/health/live")
            await served.client.get("/metrics")
    assert requests_of(log) == [
        ("INFO", "POST", "/v1/chat", 200),
        ("INFO", "GET", "/v1/sources", 200),
        ("INFO", "GET", "/v1/sources/<source>", 200),
        ("INFO", "GET", "(none)", 404),
        ("INFO", "OTHER", "(none)", 405),
        ("DEBUG", "GET", "/health/live", 200),
        ("DEBUG", "GET", "/metrics", 401),
    ]
    asked = next(entry for entry in log.entries if entry.get("route") == "/v1/chat")
    assert asked["request_id"].startswith("req_") and asked["tenant_id"].startswith("ten_") and asked["ms"] >= 0
    assert "some-name" not in log.whole and "limit=3" not in log.whole


async def test_a_request_keeps_its_harmless_id(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        for given, is_kept in (
            ("trace-0123456789", True),
            ("a b c d e f", False),
            ("short", False),
            ("x" * 129, False),
        ):
            answer = await served.client.get("/health/live", headers={"X-Request-Id": given})
            assert (answer.headers["X-Request-Id"] == given) is is_kept, given


def generate_at(served: Served, url: str) -> None:
    """From now on answers ask that server."""
    app, generator = served.app, OpenAIGenerator("m", f"{url}/v1", "secret", stream_chat)
    app.engines = type(app.engines)(app.engines.embedder, app.engines.reranker, app.engines.verifier, generator)
    app.answerer = Answerer(app.settings, app.db, app.engines, app.gate)


async def test_a_server_that_generates_is_told_the_request(tmp_path: Path) -> None:
    heads: list[str] = []

    async def generating(reader: Reader, writer: Writer) -> None:
        heads.append((await reader.readuntil(b"\r\n\r\n")).decode())
        chunk = json.dumps({"choices": [{"delta": {"content": "Sending it back is"}}]})
        writer.write(f"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\ndata: {chunk}\n\n".encode())
        await writer.drain()

    async with serving(tmp_path) as served, listening(generating) as server:
        await with_pipeline(served)
        generate_at(served, server.url)
        with reading_log() as log:
            answer = await served.ask({"query": QUESTION})
    request_id = answer.headers["X-Request-Id"]
    assert f"x-request-id: {request_id}" in heads[0].lower().replace(request_id.lower(), request_id)
    (failure,) = [entry for entry in log.entries if entry["logger"] == "flowchat.answer.pipeline"]
    assert failure["request_id"] == request_id and "broke off" in failure["message"]


async def test_a_job_is_told_by_its_id(tmp_path: Path) -> None:
    with reading_log() as log:
        async with serving(tmp_path) as served, site({"/": html("All that there is to say of lamps.")}) as server:
            job = await crawled(served.app, server)
    told = [entry for entry in log.entries if entry["logger"].startswith("flowchat.ingest")]
    assert told and {(entry["job_id"], entry["tenant_id"]) for entry in told} == {(job.id, job.tenant_id)}
