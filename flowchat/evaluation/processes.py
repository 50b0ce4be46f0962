"""`flowchat serve` as a process of its own: when it is ready, what it told, and how it ended."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import IO

from flowchat.errors import FlowChatError

SERVE = (sys.executable, "-m", "flowchat", "serve")
# Tells of what whatever runs it (buildah) would not: its process, and how it ended.
_TELLING = '"$@" & echo "process $!"; wait $!; echo "ended with $?"'
STOP_TIMEOUT_S = 60.0


@dataclass
class Running:
    """`told` is what it printed until it was ready at `url`."""

    process: subprocess.Popen[str]
    pid: int
    url: str = ""
    told: list[str] = field(default_factory=list)

    def read_until_ready(self) -> None:
        """Raises FlowChatError `not_ready` if it ends instead."""
        for line in self.process.stdout or ():
            self.told.append(line)
            if line.startswith("ready "):
                self.url = line.split()[1]
                return
        raise FlowChatError("not_ready", f"FlowChat ended instead of getting ready: {''.join(self.told)[-500:]}")

    def word(self, part: str) -> str:
        """The one that it printed with this in it."""
        return next(word for word in " ".join(self.told).split() if part in word)

    def send(self, number: signal.Signals) -> None:
        os.kill(self.pid, number)

    def ended_with(self) -> int:
        """Its exit code, once it has ended; 128 and more for a signal's."""
        rest, _ = self.process.communicate(timeout=STOP_TIMEOUT_S)
        return exit_code(rest)


@contextmanager
def starting(command: Sequence[str], log: IO[str], environ: Mapping[str, str] | None = None) -> Iterator[Running]:
    """A `telling` command, as its process begins. Killed in the end unless it has ended."""
    process = subprocess.Popen(command, env=environ, stdout=subprocess.PIPE, stderr=log, text=True)
    begun = next(iter(process.stdout or ()), "")
    if not begun.startswith("process "):
        raise FlowChatError("not_started", f"'{' '.join(command)}' could not be run (exit code {process.wait()}).")
    running = Running(process, int(begun.split()[1]))
    try:
        yield running
    finally:
        if process.poll() is None:
            running.send(signal.SIGKILL)
            process.communicate(timeout=STOP_TIMEOUT_S)


def telling(command: Sequence[str]) -> list[str]:
    """The command, with a first line that tells its process and a last one with its exit code."""
    return ["sh", "-c", _TELLING, "sh", *command]


def exit_code(told: str) -> int:
    """Of a `telling` command."""
    return int(told.rstrip().rpartition("ended with ")[2])
