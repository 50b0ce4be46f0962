"""The tenant's settings and the operator's pages: tenants, models, machine settings."""

import asyncio
import fcntl
import hashlib
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
from appliance import operator
from loopback import answer
from loopback import serving as answering
from signing_in import add_user, signed_in
from web_server import Served, serving

from flowchat.services.accounts import Browser, check_password, sign_in
from flowchat.services.models import list_all
from flowchat.services.pulls import Pull
from flowchat.store import tenants

OPERATORS_PAGES = ("/admin/tenants", "/admin/tenants/new", "/admin/models", "/admin/machine-settings")


async def test_settings_and_privacy_notice(tmp_path: Path) -> None:
    async with serving(tmp_path) as served, signed_in(served, "editor") as me:
        page = (await me.get("/admin/settings")).text
        assert "deleted 90 days after" in page and "not passed on to anybody else" in page
        assert "a question, we store the question" in page
        assert "does not know your company's name yet" in page and "Default stores" not in page
        saved = await me.post("/admin/settings", name="Shop & <Sons>", retention_days="1")
        assert (saved.status_code, saved.headers["Location"]) == (303, "/admin/settings")
        page = (await me.get("/admin/settings")).text
        assert "company's name yet" not in page
        assert "Shop &amp; &lt;Sons&gt; stores the question" in page and "<Sons>" not in page
        assert "deleted 1 day after" in page and "The settings are saved." in page


@pytest.mark.parametrize("days", ["0", "4000", "soon", ""])
async def test_wrong_settings_stay_to_be_mended(tmp_path: Path, days: str) -> None:
    async with serving(tmp_path) as served, signed_in(served) as me:
        wrong = await me.post("/admin/settings", name="<i>", retention_days=days)
        assert wrong.status_code == 422 and 'id="retention_days-error"' in wrong.text
        assert 'value="&lt;i&gt;"' in wrong.text and f'value="{days}"' in wrong.text
        tenant = await tenants.first(served.app.db)
        assert tenant and (tenant.name, tenant.retention_days) == ("Default", 90)


async def test_the_notice_names_the_server_that_generates(tmp_path: Path) -> None:
    generator = "openai:a@b@https://someone:secret@models.example:8000/v1"
    async with serving(tmp_path, generator=generator) as served, signed_in(served) as me:
        page = (await me.get("/admin/settings")).text
    assert "are sent to models.example." in page and "secret" not in page and "nobody else" not in page


async def test_a_viewer_changes_no_settings(tmp_path: Path) -> None:
    async with serving(tmp_path) as served, signed_in(served, "viewer") as me:
        page = (await me.get("/admin/settings")).text
        assert "90 days" in page and 'action="/admin/settings"' not in page
        assert (await me.post("/admin/settings", name="Mine", retention_days="5")).status_code == 403
        tenant = await tenants.first(served.app.db)
        assert tenant and tenant.name == "Default"


async def test_tenants(tmp_path: Path) -> None:
    async with serving(tmp_path) as served, signed_in(served, operator=True) as me:
        made = await me.post("/admin/tenants", slug="acme", name="Acme", retention_days="30")
        assert made.status_code == 200 and ">fca_" in made.text and "shown only this once" in made.text
        page = (await me.get("/admin/tenants")).text
        assert "Acme" in page and "fca_" not in page
        acme = await tenants.get(served.app.db, "acme")
        assert acme
        path = f"/admin/tenants/{acme.id}"
        assert 'value="30"' in (await me.get(path)).text
        assert (await me.post(path, name="Acme Ltd", retention_days="31")).status_code == 303
        wrong = await me.post(path, name="", retention_days="31")
        assert wrong.status_code == 422 and 'id="name-error"' in wrong.text and 'value="31"' in wrong.text
        taken = await me.post("/admin/tenants", slug="acme", name="Other", retention_days="30")
        assert taken.status_code == 422 and 'id="slug-error"' in taken.text and 'value="Other"' in taken.text
        assert (await me.get("/admin/tenants/ten_none")).status_code == 404


async def test_closing_a_tenant(tmp_path: Path) -> None:
    async with serving(tmp_path) as served, signed_in(served, operator=True) as me:
        acme = await served.app.db.write(lambda conn: tenants.insert(conn, "acme", "Acme"))
        ann = await add_user(served, "ann@acme.example", tenant_id=acme.id)
        browser = Browser("127.0.0.1", "Firefox")
        found = await check_password(served.app, ann.email, "correct horse battery", browser)
        session = await sign_in(served.app, found[0], browser)
        async with httpx.AsyncClient(base_url=served.url, cookies={"flowchat-session": session}) as theirs:
            assert (await theirs.get("/admin/users")).status_code == 200
            path = f"/admin/tenants/{acme.id}"
            assert (await me.post(f"{path}/close", confirm="acm")).headers["Location"] == path
            assert "Nothing was closed: type acme to confirm." in (await me.get(path)).text
            assert (await me.post(f"{path}/close", confirm="acme")).headers["Location"] == "/admin/tenants"
            assert "Acme is closed." in (await me.get("/admin/tenants")).text
            assert (await theirs.get("/admin/users")).status_code == 303, "its people are signed out"
        assert "Close the tenant" not in (await me.get(path)).text
        refused = await me.post(path, name="Again", retention_days="5")
        assert refused.status_code == 422 and "was closed on" in refused.text
        await me.post("/admin/tenants/default/close", confirm="default")
        assert "can&#39;t be closed" in (await me.get("/admin/tenants")).text


async def test_machine_settings_are_found(tmp_path: Path) -> None:
    async with serving(tmp_path, generator_api_key="sk-very-secret") as served, signed_in(served, operator=True) as me:
        page = (await me.get("/admin/machine-settings")).text
        assert "FLOWCHAT_PORT" in page and "sk-very-secret" not in page and "secret, set" in page
        found = (await me.get("/admin/machine-settings?q=crawl+pages")).text
        assert "FLOWCHAT_CRAWL_MAX_PAGES" in found and "FLOWCHAT_PORT" not in found
        assert "very-secret" not in (await me.get("/admin/machine-settings?q=very-secret")).text.replace(
            'value="very-secret"', ""
        )
        assert "Nothing found" in (await me.get("/admin/machine-settings?q=nonesuch")).text


@pytest.mark.parametrize("role", ["owner", "viewer"])
async def test_the_machine_is_the_operators(tmp_path: Path, role: str) -> None:
    async with serving(tmp_path) as served, signed_in(served, role) as me:  # type: ignore[arg-type]
        acme = await served.app.db.write(lambda conn: tenants.insert(conn, "acme", "Acme"))
        for path in (*OPERATORS_PAGES, f"/admin/tenants/{acme.id}"):
            assert (await me.get(path)).status_code == 403, path
        for path in ("", f"/{acme.id}", f"/{acme.id}/close"):
            fields = {"slug": "x", "name": "X", "retention_days": "5", "confirm": "acme"}
            assert (await me.post(f"/admin/tenants{path}", **fields)).status_code == 403, path
        assert (await me.post("/admin/models/smollm2-135m-instruct-q4_1/pull")).status_code == 403
        page = (await me.get("/admin/account")).text
        assert "/admin/tenants" not in page and "/admin/models" not in page
        after = await tenants.get(served.app.db, "acme")
        assert after and after.closed_at is None and after.name == "Acme"


CONTENT = b"a very small model"
TABLE = """
[tiny]
role = "generator"
licence = "MIT"
files = [{{ name = "model.gguf", bytes = {size}, sha256 = "{sha256}" }}]
huggingface = {{ repo = "someone/tiny", paths = {{ "model.gguf" = "model.gguf" }} }}

[by-hand]
role = "generator"
licence = "MIT"
files = [{{ name = "model.gguf", bytes = 1, sha256 = "{sha256}" }}]
"""


async def test_models_are_pulled_and_switched_to(tmp_path: Path) -> None:
    (tmp_path / "models").mkdir()
    table = TABLE.format(size=len(CONTENT), sha256=hashlib.sha256(CONTENT).hexdigest())
    (tmp_path / "models" / "models.toml").write_text(table)
    async with (
        answering() as hub,
        serving(tmp_path, hf_endpoint=hub.url) as served,
        signed_in(served, operator=True) as me,
    ):
        await me.post("/admin/models/tiny/pull")
        await until_pulled(served)
        page = (await me.get("/admin/models")).text
        assert "Pull again" in page and 'class="wrong"' in page, "the hub has not got it"
        hub.answers["/someone/tiny/resolve/main/model.gguf"] = answer(CONTENT)
        pulled = await me.post("/admin/models/tiny/pull")
        assert (pulled.status_code, pulled.headers["Location"]) == (303, "/admin/models")
        await until_pulled(served)
        page = (await me.get("/admin/models")).text
        assert "FLOWCHAT_GENERATOR=tiny" in page and "data-live" not in page
        assert (tmp_path / "models" / "tiny" / "model.gguf").read_bytes() == CONTENT
        await me.post("/admin/models/by-hand/pull")
        assert "has no source to pull from" in (await me.get("/admin/models")).text
        assert (await me.post("/admin/models/nonesuch/pull")).status_code == 404
        log = (await me.get("/admin/audit-log?operation=models.pull")).text
        assert log.count("target=tiny") == 2


async def test_an_interrupted_pull_is_told_after_a_restart_and_goes_on(tmp_path: Path) -> None:
    models, kept = tmp_path / "models", 7
    (models / ".partial" / "tiny").mkdir(parents=True)
    (models / "models.toml").write_text(TABLE.format(size=len(CONTENT), sha256=hashlib.sha256(CONTENT).hexdigest()))
    (models / ".partial" / "tiny" / "model.gguf").write_bytes(CONTENT[:kept])
    async with (
        answering() as hub,
        serving(tmp_path, hf_endpoint=hub.url) as served,
        signed_in(served, operator=True) as me,
    ):
        rest = answer(CONTENT[kept:], status="206 Partial Content")
        hub.answers["/someone/tiny/resolve/main/model.gguf"] = rest

        async def listed() -> Pull | None:
            actor = replace(await operator(served.app), scopes=frozenset({"operator"}))
            found = await list_all(served.app, actor)
            return next(state.pull for state in found.items if state.spec.name == "tiny")

        assert await listed() == Pull("interrupted", kept, len(CONTENT))
        page = (await me.get("/admin/models")).text
        assert "interrupted" in page and "at 38 %" in page and "goes on from there" in page
        with (models / ".partial" / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)  # as the command line does that pulls
            assert await listed() == Pull("running", kept, len(CONTENT))
        await me.post("/admin/models/tiny/pull")
        await until_pulled(served)
        assert f"range: bytes={kept}-" in hub.requests[-1].lower()
        assert (models / "tiny" / "model.gguf").read_bytes() == CONTENT
        assert await listed() is None


async def until_pulled(served: Served) -> None:
    while served.app.pulls.is_running("tiny"):  # noqa: ASYNC110 (a test may poll)
        await asyncio.sleep(0.02)
