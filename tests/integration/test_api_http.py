"""Lists and jobs, who may call, health and pages over real HTTP."""

import re
from pathlib import Path

import httpx
from appliance import operator
from crawling import refused_to_others
from web_server import serving

from flowchat.ingest.documents import builtin_documents
from flowchat.services import docs, keys
from flowchat.services.key_requests import NewOperatorKey

SITE = {"url": "https://shop.example/help/", "slug": "help", "max_pages": 50}


async def test_cancel(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        job_id = (await served.call("POST", "/v1/sources", json=SITE)).json()["job"]["id"]
        path = f"/v1/jobs/{job_id}/cancel"
        assert await refused_to_others(served, "POST", path) == (404, 403)
        assert await refused_to_others(served, "GET", f"/v1/jobs/{job_id}") == (404, 200)
        canceled = await served.call("POST", path)
        again = await served.call("POST", path)
        not_json = await served.call("POST", "/v1/sources", content=b"url=1")
    assert (canceled.status_code, canceled.json()["status"]) == (200, "canceled")
    assert (again.status_code, again.json()["code"]) == (409, "job_finished")
    assert not_json.status_code == 415


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
        _, powerless = await keys.create(served.app, await operator(served.app), NewOperatorKey())
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
        assert not re.search(r'<script(?! type="module" src="/static/)|\son\w+=|javascript:', page.text)
    assert served.key not in home.text
    assert "still being indexed" in home.text
    assert missing.status_code == 404
    assert missing.headers["Content-Type"].startswith("text/html")
    assert unchanged.status_code == 304


async def test_the_homepage_is_light_and_says_what_it_is(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        home = (await served.client.get("/?q=%3Cb%3E%22free%22%3F")).text
        assets = set(re.findall(r'(?:href|src)="(/static/[^"]+)"', home))
        imported = re.findall(
            r'from "\./([a-z]+\.js)"', " ".join([*map(read_asset, assets), read_asset("/static/trail.js")])
        )
        files = assets | {f"/static/{name}" for name in imported}
        weight = len(home.encode()) + sum([len((await served.client.get(file)).content) for file in files])
    assert {"/static/sse.js", "/static/dom.js", "/static/trail.css"} <= files
    assert weight < 150_000
    assert "&lt;b&gt;&#34;free&#34;?</textarea>" in home
    assert '<meta name="description" content="Self-hosted chat' in home
    assert f'<meta property="og:url" content="{served.url}/">' in home
    assert "https://" not in re.sub(r"<(pre|code).*?</\1>", "", home, flags=re.DOTALL)  # nothing from elsewhere


def read_asset(path: str) -> str:
    return (Path(__file__).parents[2] / path[1:]).read_text(encoding="utf-8")


async def test_documentation_is_readable(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        index = (await served.client.get("/docs")).text
        pages = docs.list_pages()
        for page in pages:
            assert f'href="{page.path}"' in index
            text = (await served.client.get(page.path)).text
            assert page.html in text
            assert all(f'id="{section.anchor}"' in page.html for section in page.sections)
            assert page.summary, "say in a first paragraph what the document is about"
    assert pages[0].name == "overview"
    assert {page.name for page in pages} == set(builtin_documents())
    assert "More" not in dict(docs.list_groups()), "name the new document in docs._GROUPS"
