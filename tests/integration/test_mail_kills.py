"""SIGKILL at random moments of writing and sending e-mails: none is lost, and one sent twice is known by its id.

FLOWCHAT_TEST_MAIL_KILLS sets how many (3 by default).
"""

import asyncio
import os
import random
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections import Counter
from pathlib import Path

import pytest
from appliance import operator, running
from mailing import Mailbox, mail_server

pytestmark = pytest.mark.slow
KILLS = int(os.environ.get("FLOWCHAT_TEST_MAIL_KILLS", "3"))
EMAILS_A_SECOND = 100
LONGEST_LIFE_S = 0.5
FOLDER = Path(__file__).parent


async def start(data_dir: Path, mailbox: Mailbox, emails_per_s: float) -> Process:
    environ = {**os.environ, "PYTHONPATH": f"{FOLDER.parent}:{FOLDER.parent.parent}"}
    script = str(FOLDER / "mail_process.py")
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        script,
        str(data_dir),
        str(mailbox.port),
        str(emails_per_s),
        stdout=PIPE,
        stderr=PIPE,
        env=environ,
    )
    assert process.stdout and await process.stdout.readline() == b"ready\n"
    return process


async def kill(process: Process) -> list[str]:
    """What it had printed. A line that was cut off tells of nothing."""
    process.send_signal(signal.SIGKILL)
    printed, _ = await process.communicate()
    return [line.strip().decode() for line in printed.splitlines(keepends=True) if line.endswith(b"\n")]


async def test_kills_lose_no_e_mail(tmp_path: Path) -> None:
    chance = random.Random(20261124)
    written: list[str] = []
    async with mail_server() as mailbox:
        mailbox.delay_s = 0.005
        async with running(tmp_path) as app:
            await operator(app)
        for _ in range(KILLS):
            process = await start(tmp_path, mailbox, EMAILS_A_SECOND)
            await asyncio.sleep(chance.uniform(0.05, LONGEST_LIFE_S))
            written += await kill(process)
        process = await start(tmp_path, mailbox, 0)
        async with running(tmp_path) as app:
            while await app.db.row("select 1 from emails where sent_at is null"):
                await app.db.write(
                    lambda conn: conn.execute(
                        "update emails set next_attempt_at = created_at where sent_at is null and attempts > 0"
                    )
                )
                await asyncio.sleep(0.05)
            stored = {row["id"] for row in await app.db.rows("select id from emails")}
        await kill(process)
    came = Counter(str(letter["Message-ID"]).strip("<>").partition("@")[0] for letter in mailbox.letters)
    assert set(written) <= stored == set(came)
    twice = sum(came.values()) - len(came)
    assert twice <= KILLS, "only what was being sent when it was killed"
    print(f"{KILLS} kills, {len(stored)} e-mails, 0 lost, {twice} sent twice")
