"""`flowchat serve` as a process of its own, and what Linux says of it."""

import asyncio
import os
import re
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, fields
from pathlib import Path

from flowchat.errors import FlowChatError
from flowchat.settings import PREFIX, Settings

START_TIMEOUT_S = 120.0
STOP_TIMEOUT_S = 30.0
_STATUS = re.compile(r"(VmRSS|VmHWM|Threads):\s+(\d+)")


@dataclass(frozen=True, slots=True)
class Footprint:
    """What a process holds at one moment. `peak_mb`: the most memory that it has held."""

    memory_mb: float
    peak_mb: float
    descriptors: int
    threads: int


def footprint(pid: int) -> Footprint:
    """Raises OSError where there is no such process."""
    told = {name: int(number) for name, number in _STATUS.findall(Path(f"/proc/{pid}/status").read_text())}
    descriptors = sum(1 for _ in Path(f"/proc/{pid}/fd").iterdir())
    return Footprint(told["VmRSS"] * 1024 / 1e6, told["VmHWM"] * 1024 / 1e6, descriptors, told["Threads"])


@dataclass(slots=True)
class Server:
    """`exit_code` is None until it is stopped."""

    url: str
    process: asyncio.subprocess.Process
    exit_code: int | None = None

    async def stop(self) -> int:
        """By SIGTERM."""
        self.process.terminate()
        self.exit_code = await asyncio.wait_for(self.process.wait(), STOP_TIMEOUT_S)
        return self.exit_code


@asynccontextmanager
async def server_process(settings: Settings, log: Path) -> AsyncIterator[Server]:
    """Once it answers. It is killed at the end of the block, unless it was stopped. Raises FlowChatError `not_started`.

    `log` gets what it logs.
    """
    with log.open("ab") as file:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "flowchat", "serve"),
            env={**os.environ, **environment(settings)},
            stdout=asyncio.subprocess.PIPE,
            stderr=file,
        )
    try:
        yield Server(await asyncio.wait_for(_url(process), START_TIMEOUT_S), process)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def _url(process: asyncio.subprocess.Process) -> str:
    while process.stdout is not None and (line := await process.stdout.readline()):
        if line.startswith(b"ready "):
            return line.decode().split()[1]
    raise FlowChatError("not_started", f"The appliance ended with {await process.wait()} before it answered.")


def environment(settings: Settings) -> dict[str, str]:
    """The variables of what is not as by default."""
    changed = {f.name: getattr(settings, f.name) for f in fields(Settings) if getattr(settings, f.name) != f.default}
    return {
        PREFIX + name.upper(): ",".join(value) if isinstance(value, tuple) else str(value)
        for name, value in changed.items()
    }
