"""The playground in the admin."""

import json
from pathlib import Path
from typing import Any

from conversing import with_pipeline
from httpx import Response
from signing_in import Me, signed_in
from web_server import serving

from flowchat.services.playground import PER_MINUTE

QUESTION = "May I return it within thirty days?"
XSS = "<img src=x onerror=alert(1)>"


async def ask(me: Me, **fields: Any) -> Response:
    headers = {"X-CSRF-Token": me.csrf, "HX-Request": "true"}
    return await me.client.post("/admin/playground/ask", json={"query": QUESTION, **fields}, headers=headers)


def events(answer: Response) -> dict[str, Any]:
    """The last event of each name."""
    parts = [part.split("\n") for part in answer.text.strip().split("\n\n")]
    return {lines[1].removeprefix("event: "): json.loads(lines[2].removeprefix("data: ")) for lines in parts}


async def test_a_viewer_asks(tmp_path: Path) -> None:
    async with serving(tmp_path) as served, signed_in(served, "viewer") as me:
        await with_pipeline(served)
        answer = await ask(me, source=["shop"], lead_quotes=1, mode="annotate")
        assert answer.headers["Content-Type"] == "text/event-stream"
        told = events(answer)
        assert list(told)[-2:] == ["playground.trace", "stream.done"]
        assert told["playground.trace"]["settings"]["mode"] == "annotate"
        assert told["playground.trace"]["candidates"][0]["title"] == "Returns"
        assert told["stream.done"]["refusal"] is False and "conversation_id" not in told["stream.done"]
        assert await served.stored_answers() == 0


async def test_no_other_site_makes_it_ask(tmp_path: Path) -> None:
    async with serving(tmp_path) as served, signed_in(served) as me:
        for site, asks in (("same-origin", True), ("none", True), ("cross-site", False), ("same-site", False)):
            page = await me.client.get("/admin/playground?query=Hi", headers={"Sec-Fetch-Site": site})
            assert (" data-ask" in page.text) is asks, site


async def test_a_tenant_asks_only_so_much(tmp_path: Path) -> None:
    async with serving(tmp_path) as served, signed_in(served) as me:
        await with_pipeline(served)
        answers = [(await ask(me, source=["nowhere"])).status_code for _ in range(PER_MINUTE + 1)]
    assert answers[-2:] == [404, 429]


async def test_its_address_fills_the_form(tmp_path: Path) -> None:
    async with serving(tmp_path) as served, signed_in(served) as me:
        page = await me.get("/admin/playground", params={"query": XSS, "source": "shop", "b.mode": "annotate"})
        assert page.status_code == 200
        assert "&lt;img src=x onerror=alert(1)&gt;</textarea>" in page.text and XSS not in page.text
        assert 'value="shop" checked' in page.text and 'value="docs" checked' not in page.text
        assert '<option value="annotate" selected' in page.text
        assert 'aria-current="page"' in (await me.get("/admin/playground")).text


async def test_what_is_wrong_is_told(tmp_path: Path) -> None:
    async with serving(tmp_path, parallel_answers=1, queued_answers=0) as served, signed_in(served) as me:
        await with_pipeline(served)
        for fields, status, said in (
            ({"query": " "}, 400, "more than blanks"),
            ({"refuse_below": 2}, 400, "at most 1"),
            ({"source": ["nowhere"]}, 404, "nowhere"),
        ):
            answer = await ask(me, **fields)
            assert answer.status_code == status and said in answer.headers["HX-Trigger"]
        place = served.app.slots.reserve()
        assert (await ask(me)).status_code == 503
        place.release()
        assert (await ask(me)).status_code == 200
