"""Schemathesis against a served appliance: requests made from /openapi.json, good ones and bad ones, and in sequences.

`scripts/fuzz --max-examples 150` is a long run; test_fuzz.py does a short one. The models are small fakes, nobody works
on the jobs, and limits are off: this is about the API.
"""

import argparse
import asyncio
import json
import os
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))  # when it is run as a script

import httpx  # noqa: E402
from appliance import operator  # noqa: E402
from web_server import Served, serving  # noqa: E402

from flowchat.domain import Actor, Key, new_id, now  # noqa: E402
from flowchat.services import sources  # noqa: E402
from flowchat.services.credentials import hash_secret  # noqa: E402
from flowchat.store import keys  # noqa: E402

SCOPES = ("read", "write", "billing", "operator")


@dataclass(frozen=True)
class Outcome:
    """`report` is schemathesis' own, in JSON."""

    exit_status: int
    output: str
    report: dict[str, Any]


async def fuzz(folder: Path, options: list[str]) -> Outcome:
    """Run schemathesis with these options. Raises AssertionError if its credentials were gone at the end."""
    async with serving(folder / "data", calls_per_minute=0, questions_per_minute=0, signup="open") as served:
        actor = await operator(served.app)
        key, secret = await all_powerful_key(served, actor)
        shop = await sources.get(served.app, actor, "shop")
        await fill(served, secret)
        report = folder / "report.json"
        process = await asyncio.create_subprocess_exec(
            *[sys.executable, "-m", "schemathesis.cli", "--no-color", "--config-file", HERE / "schemathesis.toml"],
            *["run", f"{served.url}/openapi.json", "--report-json-path", report, *options],
            cwd=folder,
            env={
                **os.environ,
                "SCHEMATHESIS_HOOKS": "fuzz_hooks",
                "PYTHONPATH": str(HERE),
                "PYTHONWARNINGS": "ignore",
                "FLOWCHAT_FUZZ_BEARER": secret,
                "FLOWCHAT_FUZZ_WIDGET_KEY": served.key,
                "FLOWCHAT_FUZZ_PROTECTED": ",".join([key.id, served.key_id, actor.tenant_id, shop.id, shop.slug]),
            },
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        output, _ = await process.communicate()
        await check_credentials(served, secret)
    return Outcome(process.returncode or 0, output.decode(), json.loads(report.read_text()))


async def all_powerful_key(served: Served, actor: Actor) -> tuple[Key, str]:
    """One key with every scope; in use an operator's key and a tenant's are two."""
    secret = "fca_" + "f" * 32
    key = Key(
        new_id("key"), actor.tenant_id, "operator", "fuzz", "fca_", "ffff", "gate", SCOPES, (), (), now(), billed=False
    )
    await served.app.db.write(lambda conn: keys.insert(conn, key, hash_secret(secret)))
    return key, secret


async def fill(served: Served, secret: str) -> None:
    """One of each thing that schemathesis doesn't come by itself, so that there is more to find than 404."""
    call = httpx.AsyncClient(base_url=served.url, headers={"Authorization": f"Bearer {secret}"})
    async with call:
        uploads = (await call.post("/v1/sources", json={"name": "Uploads"})).json()
        made = [
            await call.post(
                f"/v1/sources/{uploads['id']}/documents", files={"file": ("guide.md", b"# Guide\n\nText.")}
            ),
            await call.post("/v1/curated-answers", json={"question": "May I?", "answer": "You may."}),
            await call.post("/v1/users", json={"email": "ann@example.com"}),
            await call.post("/v1/webhooks", json={"url": "https://example.com/hook", "events": ["*"]}),
            await served.ask(Accept="application/json"),
        ]
        made.append(await call.post(f"/v1/webhooks/{made[3].json()['id']}/ping"))
    assert [answer.status_code for answer in made] == [201, 201, 201, 201, 200, 202]


async def check_credentials(served: Served, secret: str) -> None:
    listed = await served.client.get("/v1/settings", headers={"Authorization": f"Bearer {secret}"})
    asked = await served.client.post(
        "/v1/chat", json={"query": "Still there?"}, headers=served.headers(Accept="application/json")
    )
    assert (listed.status_code, asked.status_code) == (200, 200), "the run has ended its own credentials"


def main() -> int:
    parser = argparse.ArgumentParser(description="Fuzz the REST API. Other options are those of `schemathesis run`.")
    parser.add_argument("--max-examples", type=int, default=100, help="cases of each call in each phase")
    arguments, more = parser.parse_known_args()
    with tempfile.TemporaryDirectory() as folder:
        outcome = asyncio.run(fuzz(Path(folder), ["--max-examples", str(arguments.max_examples), *more]))
    print(outcome.output)
    return outcome.exit_status


if __name__ == "__main__":
    sys.exit(main())
