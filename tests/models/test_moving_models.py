"""A tenant moves between two processes with the default models: the same answers with the same citations."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest
from loopback import Server, serving
from operating import SHOP, TIMEOUT_S, Process, flowchat_serving

pytestmark = pytest.mark.models
QUESTIONS = ("How long is the warranty?", "What does delivery cost?", "Who won the 1998 World Cup?")


def flowchat(data_dir: Path, *arguments: str) -> str:
    environ = {**os.environ, "FLOWCHAT_DATA_DIR": str(data_dir)}
    command = [sys.executable, "-m", "flowchat", *arguments]
    done = subprocess.run(
        command, env=environ, input="correct horse battery staple", capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


async def with_a_shop(served: Process, folder: Path, site: Server) -> str:
    """A second tenant with a crawled site; returns its widget key."""
    first = served.admin_key
    served.admin_key = json.loads(flowchat(folder, "keys", "create", "--type", "operator", "--json"))["key"]
    made = await served.call("POST", "/v1/tenants", json={"slug": "shop", "name": "Shop"})
    served.admin_key = made["key"]
    await served.crawled(site, "shop")
    key = await served.call("POST", "/v1/keys", json={"type": "widget", "origins": ["*"]})
    served.admin_key = first
    return str(key["key"])


async def answers(served: Process, key: str) -> list[dict[str, Any]]:
    """All that visitors see of them."""
    found = []
    async with httpx.AsyncClient(base_url=served.url, timeout=TIMEOUT_S) as client:
        for question in QUESTIONS:
            headers = {"X-FlowChat-Key": key, "Accept": "application/json"}
            response = await client.post("/v1/chat", json={"query": question}, headers=headers)
            answer = response.raise_for_status().json()
            found.append({name: answer[name] for name in ("answer", "refusal", "citations", "chunks")})
    return found


async def test_answers_are_the_same_on_the_other_machine(tmp_path: Path, models_dir: Path) -> None:
    old, new, file = tmp_path / "old", tmp_path / "new", str(tmp_path / "shop.zip")
    settings = {"generator": "extractive"}  # a generator's words can differ from run to run
    async with serving() as site:
        site.answers = SHOP
        with (
            flowchat_serving(old, models_dir, **settings) as served,
            flowchat_serving(new, models_dir, **settings) as to,
        ):
            key = await with_a_shop(served, old, site)
            before = await answers(served, key)
            flowchat(old, "tenants", "export", "shop", file, "--passphrase-file", "-")
            flowchat(new, "tenants", "import", file, "--passphrase-file", "-")
            assert await answers(to, key) == before
            assert [answer["refusal"] for answer in before] == [False, False, True]
        for folder in (old, new):
            assert flowchat(folder, "check") == "All is well.\n"
