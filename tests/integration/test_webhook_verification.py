"""Real deliveries, verified as receivers do it: by published libraries, and by the examples of the documentation.

Node runs the example of flowchat/assets/docs/webhooks.md unchanged. FLOWCHAT_TEST_NODE_MODULES names a folder with
the npm package `standardwebhooks` (npm install --prefix FOLDER standardwebhooks; then FOLDER/node_modules).
"""

import json
import os
import re
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

import pytest
import stripe
from appliance import operator
from receiving import Request, attempted, delivering, emit, endpoint, receiver
from standardwebhooks import Webhook as StandardWebhook
from standardwebhooks import WebhookVerificationError

from flowchat.services import signatures, webhooks

DOCS = Path(__file__).parents[2] / "flowchat/assets/docs/webhooks.md"
OLD_S = 6 * 60
NODE_MODULES = os.environ.get("FLOWCHAT_TEST_NODE_MODULES", "")

needs_node = pytest.mark.skipif(not shutil.which("node"), reason="no node on PATH: apt-get install nodejs")
needs_npm_package = pytest.mark.skipif(
    not (Path(NODE_MODULES) / "standardwebhooks").is_dir() if NODE_MODULES else True,
    reason="FLOWCHAT_TEST_NODE_MODULES names no folder with the npm package standardwebhooks",
)
Verifier: TypeAlias = Callable[[Request, str], bool]


async def delivered(folder: Path) -> tuple[Request, str]:
    """A request that a receiver got, and the endpoint's secret."""
    async with receiver() as hook, delivering(folder) as app:
        webhook, secret = await endpoint(app, hook.url)
        await emit(app, "source.crawl.completed", source="src_1", name="Grüße, “shop”")
        await attempted(app, webhook)
        return hook.requests[0], secret


def example(language: str) -> str:
    found = re.search(rf"^```{language}\n(.*?)^```$", DOCS.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    assert found
    return found[1]


def by_node(script: str, request: Request, secret: str, **environ: str) -> bool:
    """Run a module that defines `verify`. What it throws counts as a refusal, as the documentation says."""
    program = script + (
        "import { readFileSync } from 'node:fs';\n"
        "const { body, headers, secret } = JSON.parse(readFileSync(0, 'utf8'));\n"
        "let ok = false;\n"
        "try { ok = verify(body, headers, secret); } catch (error) { console.error(String(error)); }\n"
        "console.log(ok === true);\n"
    )
    sent = json.dumps({"body": request.body.decode(), "headers": request.headers, "secret": secret})
    done = subprocess.run(
        ["node", "--input-type=module", "--eval", program],
        input=sent,
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, **environ},
    )
    return done.stdout.strip() == "true"


def by_the_node_example(request: Request, secret: str) -> bool:
    return by_node(example("js"), request, secret)


def by_the_npm_library(request: Request, secret: str) -> bool:
    script = (
        "import { createRequire } from 'node:module';\n"
        f"const {{ Webhook }} = createRequire({json.dumps(NODE_MODULES + '/')})('standardwebhooks');\n"
        "const verify = (body, headers, secret) => Boolean(new Webhook(secret).verify(body, headers));\n"
    )
    return by_node(script, request, secret)


def by_the_python_example(request: Request, secret: str) -> bool:
    names: dict[str, Callable[..., bool]] = {}
    exec(example("python"), names)
    return names["verify"](request.body, request.headers, secret)


def by_the_python_library(request: Request, secret: str) -> bool:
    try:
        return bool(StandardWebhook(secret).verify(request.body, request.headers))
    except WebhookVerificationError:
        return False


def by_stripe(request: Request, secret: str) -> bool:
    header = f"t={request.headers['x-flowchat-timestamp']},v1={request.headers['x-flowchat-signature']}"
    try:
        return bool(stripe.WebhookSignature.verify_header(request.body.decode(), header, secret, tolerance=300))
    except stripe.SignatureVerificationError:
        return False


def signed_at(timestamp: int, request: Request, secret: str) -> Request:
    """The same delivery, signed as one of that time would be."""
    headers = signatures.headers(request.event_id, timestamp, request.body, secret, None)
    return Request(
        request.line, {**request.headers, **{name.lower(): text for name, text in headers.items()}}, request.body
    )


def tampered(request: Request) -> dict[str, Request]:
    old = str(int(request.headers["x-flowchat-timestamp"]) - 1)
    other = request.body.replace(b"src_1", b"src_2")
    assert other != request.body
    new_time = {**request.headers, "x-flowchat-timestamp": old, "webhook-timestamp": old}
    forged = {**request.headers, "x-flowchat-signature": "0" * 64, "webhook-signature": "v1," + "A" * 43 + "="}
    return {
        "body": Request(request.line, request.headers, other),
        "timestamp": Request(request.line, new_time, request.body),
        "signature": Request(request.line, forged, request.body),
    }


@pytest.mark.parametrize(
    "verify",
    [
        pytest.param(by_the_node_example, marks=needs_node),
        pytest.param(by_the_npm_library, marks=[needs_node, needs_npm_package]),
        by_the_python_example,
        by_the_python_library,
        by_stripe,
    ],
)
async def test_fresh_is_accepted_and_tampered_or_old_is_refused(tmp_path: Path, verify: Verifier) -> None:
    request, secret = await delivered(tmp_path)
    assert verify(request, secret)
    for what, changed in tampered(request).items():
        assert not verify(changed, secret), what
    assert not verify(request, signatures.new_secret())
    assert verify(signed_at(int(time.time()) - 240, request, secret), secret)
    assert not verify(signed_at(int(time.time()) - OLD_S, request, secret), secret)


@pytest.mark.parametrize(
    "verify",
    [
        pytest.param(by_the_npm_library, marks=[needs_node, needs_npm_package]),
        by_the_python_library,
    ],
)
async def test_libraries_accept_both_secrets_during_a_rotation(tmp_path: Path, verify: Verifier) -> None:
    async with receiver() as hook, delivering(tmp_path) as app:
        webhook, former = await endpoint(app, hook.url)
        _, secret = await webhooks.rotate(app, await operator(app), webhook.id)
        await emit(app)
        await attempted(app, webhook)
        assert verify(hook.requests[0], former) and verify(hook.requests[0], secret)
        assert by_the_python_example(hook.requests[0], former)
