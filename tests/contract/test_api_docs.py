"""/docs/api shows every call, and its examples work."""

import asyncio
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from appliance import operator
from web_server import serving

from flowchat.services import docs
from flowchat.web import api_docs
from flowchat.web.calls import CALLS

STATUSES = {200, 201, 202, 204, 404, 409, 410}  # there is no job_01k5… to be shown


async def test_every_call_is_shown(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        index = (await served.client.get("/docs")).text
        overview = (await served.client.get("/docs/api")).text
        pages = {found.name: await served.client.get(f"/docs/api/{found.name}") for found in api_docs.resources()}
        missing = await served.client.get("/docs/api/nothing")
    assert 'href="/docs/api"' in index
    assert docs.get_page("api").html in overview
    assert missing.status_code == 404
    for call in CALLS:
        name = call.operation_name.partition(".")[0].replace("_", "-")
        assert f'href="/docs/api/{name}#{call.operation_name}"' in overview
        assert f'id="{call.operation_name}"' in pages[name].text
    for page in pages.values():
        assert page.status_code == 200
        assert not re.search(r"<style| style=|<script(?! type=.module. src=./static/)|https?://cdn", page.text)


async def test_python_examples_run(tmp_path: Path) -> None:
    (tmp_path / "handbook.pdf").write_bytes(b"%PDF-1.4")
    async with serving(tmp_path / "data", signup="open") as served:
        made = await served.call("POST", "/v1/keys", json={"type": "admin"})
        secret = made.json()["key"]
        actor = await operator(served.app)
        await served.app.db.write(
            lambda conn: conn.execute(
                "update keys set scopes = ? where id = ? and tenant_id = ?",
                ('["read", "write", "billing", "operator"]', made.json()["id"], actor.tenant_id),
            )
        )
        program = [f"import os\nos.chdir({str(tmp_path)!r})\n"]
        names = []
        for resource in api_docs.resources():
            for shown in resource.calls:
                text = api_docs.python(shown, served.url).replace("fca_YOUR_KEY", secret)
                text = text.replace("kbk_live_YOUR_KEY", served.key).replace("response.raise_for_status()", "")
                text = text.replace("print(response.json())", "response.status_code == 204 or response.json()")
                names.append(shown.call.operation_name)
                program.append(text + "print('status', response.status_code, response.text[:300])\n")
        outcome = await asyncio.to_thread(
            subprocess.run, [sys.executable, "-c", "\n".join(program)], capture_output=True, text=True, check=False
        )
    assert outcome.returncode == 0, outcome.stderr
    answers = [line for line in outcome.stdout.splitlines() if line.startswith("status ")]
    assert len(answers) == len(names) == len(CALLS)
    wrong = [pair for pair in zip(names, answers, strict=True) if int(pair[1].split()[1]) not in STATUSES]
    assert wrong == []


@pytest.mark.skipif(not shutil.which("node"), reason="no node on PATH: apt-get install nodejs")
async def test_the_javascript_example_runs(tmp_path: Path) -> None:
    text = (Path(docs.__file__).parents[1] / "assets/docs/chat-api.md").read_text(encoding="utf-8")
    example = re.search(r"^```js\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)
    assert example
    async with serving(tmp_path) as served:
        script = example[1].replace("http://127.0.0.1:8080", served.url).replace("kbk_live_YOUR_KEY", served.key)
        node = ["node", "--input-type=module", "--eval", script]
        outcome = await asyncio.to_thread(subprocess.run, node, capture_output=True, text=True, check=False)
    assert (outcome.returncode, outcome.stdout) == (0, "You may return it within 30 days. Sending it back is free.")
