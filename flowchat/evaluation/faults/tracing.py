"""Debian's strace: it counts and spoils the system calls of a process, or writes them down."""

import shutil
import subprocess
from functools import cache
from pathlib import Path

from flowchat.errors import FlowChatError

DATABASE = ("flowchat.db", "flowchat.db-wal")


@cache
def is_there() -> bool:
    """Whether strace is installed, and may trace here: some containers forbid it."""
    if shutil.which("strace") is None:
        return False
    return (
        subprocess.run(["strace", "-qq", "-o", "/dev/null", "true"], capture_output=True, check=False).returncode == 0
    )


def require() -> None:
    if not is_there():
        raise FlowChatError("no_strace", "This check needs strace, and leave to trace: apt-get install strace.")


def kill_at(folder: Path, call: str, number: int) -> list[str]:
    """Kills a process as a thread of it begins its Nth such call on the database.

    Put a command after it that it runs, or `-p` and a process id.
    """
    paths = [part for name in DATABASE for part in ("-P", str(folder / name))]
    spoil = f"inject={call}:signal=KILL:when={number}"
    # -D: the program stays our child. Not --seccomp-bpf: with it, strace 6.1 counts no further than 1.
    return ["strace", "-D", "-f", "-qq", "-o", "/dev/null", *paths, "-e", f"trace={call}", "-e", spoil]
