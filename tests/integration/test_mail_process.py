"""E-mail and sign-up of `flowchat serve` as a process of its own, and what the command line says of the mail server."""

import asyncio
import os
import signal
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
from mailing import SENDER, link_in, mail_server, settings_of
from signing_up import ANN, SHOP

from flowchat.app import prepare_folder
from flowchat.settings import Settings
from flowchat.store import emails
from flowchat.store.database import open_database

ROOT = Path(__file__).resolve().parents[2]
TIMEOUT_S = 60  # of a busy machine


def environ_of(folder: Path, **settings: object) -> dict[str, str]:
    given = {"data_dir": folder, "models_dir": folder / "models", "embedder": "fake-embedder", "port": 0, **settings}
    clean = {name: value for name, value in os.environ.items() if not name.startswith("FLOWCHAT_")}
    return {**clean, **{f"FLOWCHAT_{name.upper()}": str(value) for name, value in given.items()}}


@asynccontextmanager
async def serving(folder: Path, **settings: object) -> AsyncIterator[httpx.AsyncClient]:
    """Until it ends as SIGTERM ends it."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        str(ROOT / "tests" / "serve_fakes.py"),
        env=environ_of(folder, **settings),
        stdout=PIPE,
        stderr=DEVNULL,
    )
    try:
        url = await asyncio.wait_for(_ready(process), TIMEOUT_S)
        async with httpx.AsyncClient(base_url=url, timeout=TIMEOUT_S) as client:
            yield client
        process.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(process.wait(), TIMEOUT_S) == 0
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def _ready(process: Process) -> str:
    assert process.stdout
    while line := await process.stdout.readline():
        if line.startswith(b"ready "):
            return line.decode().removeprefix("ready ").strip()
    raise AssertionError("it has ended")


async def test_signing_up_at_an_appliance_as_it_is_run(tmp_path: Path) -> None:
    async with mail_server() as mailbox:
        settings = {**settings_of(mailbox), "signup": "open"}
        prepare_folder(Settings(data_dir=tmp_path))
        async with open_database(tmp_path / "flowchat.db") as db:
            await db.write(lambda conn: emails.insert(conn, "old@shop.example", "Left from before", "Hello"))
        async with serving(tmp_path, **settings) as client:
            await mailbox.until(1)
            asked = await client.post("/v1/signup", json=SHOP)
            assert asked.json()["status"] == "confirmation_sent"
            [_, letter] = await mailbox.until(2)
            token = link_in(letter).rpartition("/")[2]
            made = await client.post("/v1/signup/confirm", json={"token": token, "password": "correct horse battery"})
            assert made.status_code == 201, made.text
    assert [str(letter["To"]) for letter in mailbox.letters] == ["old@shop.example", ANN]


async def run(folder: Path, *arguments: str, **settings: object) -> tuple[int | None, str]:
    """Of a command: its exit code, and what it printed."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "flowchat", *arguments),
        env=environ_of(folder, **settings),
        stdout=PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    printed, _ = await asyncio.wait_for(process.communicate(), TIMEOUT_S)
    return process.returncode, printed.decode()


async def test_mail_test(tmp_path: Path) -> None:
    async with mail_server() as mailbox:
        told = await run(tmp_path, "mail", "test", ANN, **settings_of(mailbox))
        mailbox.of_recipient = lambda recipient: "550 no such user"
        refused = await run(tmp_path, "mail", "test", ANN, **settings_of(mailbox))
    assert told == (0, f"Sent to {ANN} through 127.0.0.1:{mailbox.port}, unencrypted.\n")
    assert [str(letter["From"]) for letter in mailbox.letters] == [SENDER]
    assert refused == (1, "flowchat: The mail server does not take this e-mail: 550 no such user\n")


async def test_settings_that_cannot_be_understood_are_said_at_once(tmp_path: Path) -> None:
    for arguments in (("serve",), ("mail", "test", ANN)):
        code, told = await run(tmp_path, *arguments, smtp_url="smtp://ann:top/secret@mail.example.com")
        assert code == 1 and told.startswith("flowchat: FLOWCHAT_SMTP_URL") and told.count("\n") == 1
        assert "secret" not in told
    code, told = await run(tmp_path, "serve", smtp_url="smtp://mail.example.com")
    assert code == 1 and "FLOWCHAT_MAIL_FROM" in told
