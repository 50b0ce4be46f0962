"""The images, built from the Containerfile on a fresh Debian and run with a read-only root, without an engine."""

import asyncio
import json
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from crawling import site
from operating import SHOP, TIMEOUT_S, Process, make_owner

from flowchat.errors import FlowChatError
from flowchat.evaluation import images
from flowchat.evaluation.containers import DATA, TMP, Container, container
from flowchat.evaluation.images import Builder
from flowchat.evaluation.processes import Running
from flowchat.evaluation.served import free_port
from flowchat.evaluation.shutdown import MAX_STOP_S, QUESTION, SETTINGS, slow_generator, stop_with_streams

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]
STREAMS = 20
DEVICES = ("/dev/", "/proc/")
# What FlowChat itself imports of each package that it names.
IMPORT_ALL = """
import importlib, importlib.metadata as metadata, pathlib, re, flowchat
roots = {d for d in map(str.lower, metadata.packages_distributions()) }
text = " ".join(path.read_text() for path in pathlib.Path(flowchat.__file__).parent.rglob("*.py"))
for name in sorted(set(re.findall(r"^ *(?:from|import) ([a-z_0-9.]+)", text, re.M))):
    if name.split(".")[0].lower() in roots and name.split(".")[0] not in OPTIONAL:
        importlib.import_module(name)
"""


@pytest.fixture(scope="module")
def builder() -> Iterator[Builder]:
    if reason := images.why_not():
        pytest.skip(reason)
    try:
        with images.builder() as made:
            yield made
    except FlowChatError as error:
        if error.code == "no_debian":
            pytest.skip(f"no Debian to build on: {error.message}")
        raise


@pytest.fixture(scope="module")
def without_models(builder: Builder) -> str:
    return builder.build("flowchat-without-models", "--target", "without-models")


@pytest.fixture(scope="module")
def image(builder: Builder, without_models: str) -> str:
    return builder.build("flowchat")  # only the models are added


@pytest.fixture
def made(builder: Builder, image: str, tmp_path: Path) -> Iterator[Container]:
    with container(builder, image, tmp_path) as it:
        yield it


@contextmanager
def serving(made: Container, **settings: str) -> Iterator[Running]:
    told = {**SETTINGS, "port": str(free_port()), **settings}
    with made.serving(**told) as running:
        yield running


def flowchat(made: Container, *arguments: str) -> str:
    done = made.run("flowchat", *arguments, allow_private_hosts="127.0.0.1")
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_it_says_how_it_wants_to_be_run(builder: Builder, image: str) -> None:
    config = builder.config(image)
    assert config["User"] == "flowchat"
    assert list(config["Volumes"]) == [DATA]
    assert list(config["ExposedPorts"]) == ["8080/tcp"]
    assert (config["Entrypoint"], config["Cmd"], config["StopSignal"]) == (["flowchat"], ["serve"], "SIGTERM")


def test_nothing_but_its_volume_and_tmp_is_writable(made: Container) -> None:
    becomes_another = ("-type", "f", "-perm", "/6000")  # a program that runs as its owner
    found = made.run("find", "/", "-not", "-type", "l", "(", "-writable", "-o", *becomes_another, ")", "-print")
    paths = [path for path in found.stdout.splitlines() if not path.startswith(DEVICES)]
    assert [path for path in paths if path not in (DATA, TMP)] == []
    assert made.run("sh", "-c", "touch /app/x || touch /models/x || touch /var/tmp/x").returncode != 0
    assert made.run("id", "-u").stdout == "10001\n"


def test_what_was_left_out_is_not_missed(made: Container) -> None:
    program = IMPORT_ALL.replace("OPTIONAL", "['llama_cpp']")
    done = made.run("/app/.venv/bin/python", "-W", "error", "-c", program)
    assert (done.returncode, done.stderr) == (0, "")


async def test_first_run_and_every_end_of_it(made: Container) -> None:
    async with site(dict(SHOP)) as shop:
        with serving(made) as running:
            served = Process(running.url, running.word("/admin/set-up/"), running.word("fca_"))
            assert healthy(made, running)
            make_owner(served)
            await served.crawled(shop, "lamps")
            key = (await served.call("POST", "/v1/keys", json={"type": "widget", "sources": ["lamps"]}))["key"]
            answer = await ask(running.url, key)
            assert not answer["refusal"] and "within 30 days of delivery" in answer["answer"]
            assert all(citation["verified"] for citation in answer["citations"])
            assert answer["citations"][0]["url"] == f"{shop.url}/returns"
            running.send(signal.SIGKILL)
            assert running.ended_with() == 128 + signal.SIGKILL

    async with slow_generator() as generator:
        with serving(made, generator=generator) as running:
            stopped = await stop_with_streams(running, key, STREAMS)
    assert (stopped.exit_code, stopped.ended) == (0, stopped.reading)
    assert stopped.seconds <= MAX_STOP_S

    with serving(made) as running:
        assert not [line for line in running.told if "/admin/set-up/" in line]  # its owner is known
        again = await ask(running.url, key)
        assert (again["refusal"], again["citations"][0]["url"]) == (False, f"{shop.url}/returns")
        assert "All is well." in await asyncio.to_thread(flowchat, made, "check")
    assert {path.name for path in made.data.iterdir()} == {
        *("flowchat.db", "flowchat.db-wal", "flowchat.db-shm", "huey.db", "huey.db-wal", "huey.db-shm"),
        *("flowchat.lock", "workers.lock", "revoked.log", "secret.key"),
    }


def healthy(made: Container, running: Running) -> bool:
    """By the image's own check."""
    kind, *command = made.config["Healthcheck"]["Test"]
    assert kind == "CMD"
    elsewhere = made.run(*command, port="1").returncode
    here = made.run(*command, port=running.url.rpartition(":")[2]).returncode
    return (here, elsewhere != 0) == (0, True)


async def ask(url: str, key: str) -> dict[str, Any]:
    headers = {"X-FlowChat-Key": key, "Accept": "application/json"}
    async with httpx.AsyncClient(base_url=url, headers=headers, timeout=TIMEOUT_S) as client:
        response = await client.post("/v1/chat", json={"query": QUESTION})
        response.raise_for_status()
        answer: dict[str, Any] = response.json()
        return answer


def test_models_are_pulled_into_the_volume_once(builder: Builder, without_models: str, tmp_path: Path) -> None:
    with container(builder, without_models, tmp_path) as made:
        assert not (made.root / "models").exists()
        with made.starting(port=str(free_port())) as running:  # it may be stopped before it has them
            assert running.process.stdout and "┌" in running.process.stdout.readline()
            running.send(signal.SIGTERM)
            assert running.ended_with() == 0
        with serving(made) as running:
            pulled = {path.name: path.stat().st_ino for path in (made.data / "models").iterdir()}
        with serving(made) as running:
            assert pulled == {path.name: path.stat().st_ino for path in (made.data / "models").iterdir()}
            models = json.loads(flowchat(made, "models", "list", "--json"))
            assert all(model["installed"] for model in models if model["used"])
