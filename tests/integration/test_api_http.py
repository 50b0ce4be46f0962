"""/v1/sources, /v1/jobs, health and pages over real HTTP."""

from pathlib import Path

import httpx
from appliance import operator
from web_server import serving

from flowchat.services import docs, keys

SITE = {"url": "https://shop.example/help/", "slug": "help", "max_pages": 50}


async def test_create_source_queues_its_first_crawl(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        woken: list[str] = []
        served.app.wake = woken.append
        created = await served.call("POST", "/v1/sources", json=SITE)
        source = created.json()
        read = await served.call("GET", created.headers["Location"])
        by_slug = await served.call("GET", "/v1/sources/help")
        job = await served.call("GET", f"/v1/jobs/{source['job']['id']}")
    assert created.status_code == 201
    assert created.headers["Location"] == f"/v1/sources/{source['id']}"
    assert (source["url"], source["max_pages"], source["status"]) == (SITE["url"], 50, "pending")
    assert read.json()["slug"] == by_slug.json()["slug"] == "help"
    assert (job.json()["type"], job.json()["status"]) == ("crawl", "queued")
    assert woken == [source["job"]["id"]]


async def test_create_source_says_what_is_wrong(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        await served.call("POST", "/v1/sources", json=SITE)
        missing = await served.call("POST", "/v1/sources", json={})
        no_url = await served.call("POST", "/v1/sources", json={"url": "ftp://shop.example"})
        wrong_type = await served.call("POST", "/v1/sources", json={**SITE, "include": "/help/*"})
        taken = await served.call("POST", "/v1/sources", json=SITE)
        not_json = await served.call("POST", "/v1/sources", content=b"url=1")
    assert (missing.status_code, missing.json()["param"]) == (400, "url")
    assert (no_url.status_code, no_url.json()["param"]) == (400, "url")
    assert (wrong_type.status_code, wrong_type.json()["param"]) == (400, "include")
    assert (taken.status_code, taken.json()["code"]) == (409, "slug_taken")
    assert not_json.status_code == 415


async def test_what_a_source_cannot_have_yet_is_said(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        for field, value in {"sitemap": "https://shop.example/sitemap.xml", "schedule": "daily", "auth": {}}.items():
            refused = await served.call("POST", "/v1/sources", json={**SITE, field: value})
            assert (refused.status_code, refused.json()["param"]) == (400, field)
            assert "not supported yet" in refused.json()["detail"]
        no_url = await served.call("POST", "/v1/sources", json={"slug": "uploads"})
        ignored = await served.call("POST", "/v1/sources", json={**SITE, "schedule": None, "future": 1})
    assert (no_url.status_code, no_url.json()["param"]) == (400, "url")
    assert "not supported yet" in no_url.json()["detail"]
    assert ignored.status_code == 201


async def test_recrawl_returns_the_job(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        job_id = (await served.call("POST", "/v1/sources", json=SITE)).json()["job"]["id"]
        busy = await served.call("POST", "/v1/sources/help/recrawl")
        canceled = await served.call("POST", f"/v1/jobs/{job_id}/cancel")
        again = await served.call("POST", "/v1/sources/help/recrawl")
        finished = await served.call("POST", f"/v1/jobs/{job_id}/cancel")
        no_site = await served.call("POST", "/v1/sources/docs/recrawl")
    assert (busy.status_code, busy.json()["code"]) == (409, "job_active")
    assert (canceled.status_code, canceled.json()["status"]) == (200, "canceled")
    assert (again.status_code, again.json()["status"]) == (202, "queued")
    assert again.headers["Location"] == f"/v1/jobs/{again.json()['id']}"
    assert (finished.status_code, finished.json()["code"]) == (409, "job_finished")
    assert (no_site.status_code, no_site.json()["code"]) == (400, "no_url")


async def test_lists_go_page_by_page(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        first = (await served.call("GET", "/v1/sources", params={"limit": "1"})).json()
        after = {"limit": "1", "starting_after": first["data"][-1]["id"]}
        second = (await served.call("GET", "/v1/sources", params=after)).json()
        before = {"limit": "1", "ending_before": second["data"][0]["id"]}
        back = (await served.call("GET", "/v1/sources", params=before)).json()
        jobs = (await served.call("GET", "/v1/jobs")).json()
    assert (first["object"], first["has_more"], first["url"]) == ("list", True, "/v1/sources")
    assert [source["slug"] for source in first["data"] + second["data"]] == ["shop", "docs"]
    assert second["has_more"] is False
    assert back["data"] == first["data"]
    assert jobs == {"object": "list", "data": [], "has_more": False, "url": "/v1/jobs"}


async def test_limits_of_lists(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        for limit in ("0", "101", "-1", "x", "", "9" * 5000):
            response = await served.call("GET", "/v1/jobs", params={"limit": limit})
            assert (response.status_code, response.json()["param"]) == (400, "limit")


async def test_who_may_call(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        _, powerless = await keys.create(served.app, await operator(served.app), keys.NewKey("operator"))
        attempts = {
            "nothing": {},
            "unknown": {"Authorization": "Bearer fca_unknown"},
            "widget key": {"Authorization": f"Bearer {served.key}"},
            "basic": {"Authorization": f"Basic {served.admin}"},
            "no scope": {"Authorization": f"Bearer {powerless}"},
        }
        responses = {
            name: await served.client.get("/v1/sources", headers=headers) for name, headers in attempts.items()
        }
        lower_case = await served.client.get("/v1/sources", headers={"Authorization": f"bearer {served.admin}"})
    assert {name: response.status_code for name, response in responses.items()} == {
        "nothing": 401,
        "unknown": 401,
        "widget key": 401,
        "basic": 401,
        "no scope": 403,
    }
    assert responses["nothing"].headers["WWW-Authenticate"].startswith("Bearer")
    assert lower_case.status_code == 200


async def test_missing_things_are_404(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        for method, path in (
            ("GET", "/v1/sources/none"),
            ("POST", "/v1/sources/none/recrawl"),
            ("GET", "/v1/jobs/job_none"),
            ("POST", "/v1/jobs/job_none/cancel"),
        ):
            response = await served.call(method, path)
            assert (response.status_code, response.json()["code"]) == (404, "not_found")


async def test_health(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        live = await served.client.get("/health/live")
        ready = await served.client.get("/health/ready")
        served.app.stopping.set()
        stopping = await served.client.get("/health")
        question = await served.ask()
    assert (live.status_code, live.json()) == (200, {"status": "live"})
    assert (ready.status_code, ready.json()["status"]) == (200, "ready")
    assert (stopping.status_code, stopping.json()["problems"]) == (503, ["stopping"])
    assert question.status_code == 503


async def test_pages_are_safe_and_link_what_exists(tmp_path: Path) -> None:
    browser = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
    async with serving(tmp_path) as served, httpx.AsyncClient(base_url=served.url, headers=browser) as client:
        home = await client.get("/")
        index = await client.get("/docs")
        missing = await client.get("/docs/none")
        script = await client.get("/static/ask.js")
        unchanged = await client.get("/static/ask.js", headers={"If-None-Match": script.headers["ETag"]})
    for page in (home, index):
        assert page.status_code == 200
        assert page.headers["Content-Security-Policy"].startswith("default-src 'self'")
        assert "frame-ancestors 'none'" in page.headers["Content-Security-Policy"]
        assert page.headers["X-Content-Type-Options"] == "nosniff"
        assert "Referrer-Policy" in page.headers
        assert "<style" not in page.text
        assert " style=" not in page.text
        assert "<script>" not in page.text
    assert served.key not in home.text
    assert "still being indexed" in home.text
    assert missing.status_code == 404
    assert missing.headers["Content-Type"].startswith("text/html")
    assert unchanged.status_code == 304


async def test_documentation_is_readable(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        index = (await served.client.get("/docs")).text
        pages = docs.list_pages()
        for page in pages:
            assert f'href="{page.path}"' in index
            assert page.html in (await served.client.get(page.path)).text
    assert pages
