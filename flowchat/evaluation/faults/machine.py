"""An appliance in a process of its own, on a data folder of its own, that may be killed at any moment."""

import asyncio
import os
import re
import signal
import sys
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

from flowchat import settings as settings_table
from flowchat.evaluation.served import free_port
from flowchat.net.rest import Rest
from flowchat.services.check import check
from flowchat.settings import Settings
from flowchat.store.database import Database, open_database

START_TIMEOUT_S = 60
POLL_S = 0.01
_ADMIN_KEY = re.compile(rb"\bfca_\w+")


@dataclass(frozen=True, slots=True)
class Start:
    """Seconds from the start of the process: until Python had imported FlowChat, and until it answered."""

    imported_s: float
    ready_s: float


@dataclass(slots=True)
class Machine:
    """`admin` is the first admin key, which it tells at its first start. `log` gets what it writes to stderr."""

    folder: Path
    environ: dict[str, str]
    log: Path
    admin: str = ""
    process: asyncio.subprocess.Process | None = None
    tracer: asyncio.subprocess.Process | None = None
    starts: list[Start] = field(default_factory=list)

    @property
    def settings(self) -> Settings:
        return settings_table.load(self.environ)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.environ['FLOWCHAT_PORT']}"

    @property
    def is_up(self) -> bool:
        return self.process is not None and self.process.returncode is None

    async def start(self, *tracer: str) -> bool:
        """Whether it got ready. A `tracer` is a command that runs it; the process must stay ours."""
        began = time.monotonic()
        command = (*tracer, sys.executable, "-m", "flowchat.evaluation.faults.process")
        with self.log.open("ab") as log:
            self.process = await asyncio.create_subprocess_exec(
                *command, env=self.environ, stdout=asyncio.subprocess.PIPE, stderr=log
            )
        imported_s = 0.0
        async with asyncio.timeout(START_TIMEOUT_S):
            while self.process.stdout and (line := await self.process.stdout.readline()):
                if line == b"imported\n":
                    imported_s = time.monotonic() - began
                elif found := _ADMIN_KEY.search(line):
                    self.admin = found[0].decode()
                elif line.startswith(b"ready "):
                    self.starts.append(Start(imported_s, time.monotonic() - began))
                    return True
        await self._until_dead()
        return False

    async def traced(self, *tracer: str) -> None:
        """By that command from now on, without its -D."""
        command = [part for part in tracer if part != "-D"]
        with self.log.open("ab") as log:
            self.tracer = await asyncio.create_subprocess_exec(
                *command, "-p", str(self.process and self.process.pid), stderr=log
            )

    async def let_be(self) -> None:
        """By what has traced it."""
        if self.tracer is not None and self.tracer.returncode is None:
            self.tracer.send_signal(signal.SIGTERM)
            await self.tracer.wait()
        self.tracer = None

    async def kill(self) -> None:
        """By SIGKILL; fine if it is dead already."""
        if self.process is None:
            return
        if self.process.returncode is None:
            self.process.send_signal(signal.SIGKILL)
        await self.process.communicate()
        await self._until_dead()
        await self.let_be()

    async def _until_dead(self) -> None:
        """With a tracer, its files are closed only some time after its parent has heard of its end."""
        pid = self.process.pid if self.process else 0
        async with asyncio.timeout(START_TIMEOUT_S):
            while Path(f"/proc/{pid}").exists():  # noqa: ASYNC110 (nobody tells)
                await asyncio.sleep(POLL_S)

    def client(self, key: str = "") -> Rest:
        """With the admin key unless another one is given."""
        headers = (
            {"X-FlowChat-Key": key} if key.startswith("kbk_") else {"Authorization": f"Bearer {key or self.admin}"}
        )
        return Rest(self.url, headers)

    @asynccontextmanager
    async def database(self) -> AsyncIterator[Database]:
        """Beside the process, or without it."""
        async with open_database(self.settings.database_path) as db:
            yield db

    async def problems(self) -> list[str]:
        """What `flowchat check` finds, SQLite's own checks among it."""
        async with self.database() as db:
            return await check(db)


@asynccontextmanager
async def unstarted(changes: Mapping[str, str], parent: Path | None = None) -> AsyncIterator[Machine]:
    """With an empty folder, in `parent`. `changes` are settings."""
    with TemporaryDirectory(dir=parent) as folder, TemporaryDirectory() as logs:
        made = Machine(Path(folder) / "data", _environ(Path(folder) / "data", changes), Path(logs) / "log")
        try:
            yield made
        finally:
            await made.kill()


@asynccontextmanager
async def machine(changes: Mapping[str, str], parent: Path | None = None) -> AsyncIterator[Machine]:
    """One that has been started."""
    async with unstarted(changes, parent) as made:
        if not await made.start():
            raise RuntimeError(f"the appliance did not start: {made.log.read_text()[-2000:]}")
        yield made


def _environ(folder: Path, changes: Mapping[str, str]) -> dict[str, str]:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("FLOWCHAT_")}
    ours = {
        "LOG_LEVEL": "ERROR",
        "DATA_DIR": str(folder),
        "PORT": str(free_port()),
        "EMBEDDER": "words",
        "GENERATOR": "extractive",
        "REFUSE_BELOW": "0.3",
        "ALLOW_PRIVATE_HOSTS": "127.0.0.1",
        "QUESTIONS_PER_MINUTE": "0",
        "CALLS_PER_MINUTE": "0",
        "PARALLEL_ANSWERS": "32",
        "QUEUED_ANSWERS": "32",
        "MIN_FREE_MB": "0",  # it is tried what happens without the warning
        "BACKUP_EVERY_HOURS": "0",  # `flowchat eval backup` is about those
        **changes,
    }
    return inherited | {f"FLOWCHAT_{name}": value for name, value in ours.items()}
