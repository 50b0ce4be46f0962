"""A limit on the memory of processes, and what they use of it: a control group of Linux, of either version."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from flowchat.errors import FlowChatError

GROUPS = Path("/sys/fs/cgroup")


@dataclass(frozen=True, slots=True)
class Limit:
    """All memory of a group, the pages of files included, which the kernel gives up first."""

    folder: Path
    is_v2: bool

    def prefix(self) -> list[str]:
        """What a command begins with, so that it runs in the group."""
        return ["sh", "-c", 'echo $$ > "$0"; exec "$@"', str(self.folder / "cgroup.procs")]

    def used(self) -> int:
        """Bytes."""
        return self._read("memory.current" if self.is_v2 else "memory.usage_in_bytes")

    def peak(self) -> int:
        return self._read("memory.peak" if self.is_v2 else "memory.max_usage_in_bytes")

    def own(self) -> int:
        """Bytes that are no files' pages."""
        stat = dict(line.split() for line in (self.folder / "memory.stat").read_text().splitlines())
        return int(stat["anon" if self.is_v2 else "rss"])

    def kills(self) -> int:
        """Processes that had to end for want of memory."""
        events = self.folder / ("memory.events" if self.is_v2 else "memory.oom_control")
        return int(dict(line.split() for line in events.read_text().splitlines())["oom_kill"])

    def _read(self, name: str) -> int:
        return int((self.folder / name).read_text())


@contextmanager
def limited(max_bytes: int) -> Iterator[Limit]:
    """Raises FlowChatError `no_memory_limit` where this machine lets us make no group."""
    is_v2 = (GROUPS / "cgroup.controllers").exists()
    folder = (GROUPS if is_v2 else GROUPS / "memory") / f"flowchat-{os.getpid()}"
    try:
        if is_v2:
            (GROUPS / "cgroup.subtree_control").write_text("+memory")
        folder.mkdir()
        (folder / ("memory.max" if is_v2 else "memory.limit_in_bytes")).write_text(str(max_bytes))
    except OSError as error:
        raise FlowChatError("no_memory_limit", f"No control group can be made at {folder}: {error}.") from None
    try:
        yield Limit(folder, is_v2)
    finally:
        folder.rmdir()
