"""Models that are fetched while the appliance runs, and how far they are."""

import logging
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from flowchat.engines import pulling
from flowchat.engines.registry import ModelSpec
from flowchat.errors import FlowChatError

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Pull:
    """One that runs, has failed, or ended with its process; one that succeeds is gone."""

    status: Literal["running", "failed", "interrupted"]
    bytes_done: int = 0
    bytes_total: int = 0
    error: str | None = None


class Pulls:
    """A thread for each. They end with the process, and what they fetched is kept for the next try."""

    def __init__(self) -> None:
        self._pulls: dict[str, Pull] = {}

    def find(self, spec: ModelSpec, models_path: Path) -> Pull | None:
        """What this process knows, or else what the disk tells of a model that is not installed."""
        if spec.name in self._pulls:
            return self._pulls[spec.name]
        done, total = pulling.fetched(spec, models_path)
        if not done:
            return None
        is_elsewhere = pulling.is_under_way(models_path) and not any(map(self.is_running, self._pulls))
        return Pull("running" if is_elsewhere else "interrupted", min(done, total), total)

    def is_running(self, name: str) -> bool:
        found = self._pulls.get(name)
        return found is not None and found.status == "running"

    def start(self, spec: ModelSpec, models_path: Path, hf_endpoint: str) -> None:
        """Fetch and install a model, unless that is under way. Different ones wait for each other."""
        if self.is_running(spec.name):
            return
        self._pulls[spec.name] = Pull("running", bytes_total=spec.bytes)
        # A daemon: the appliance stops without waiting for hundreds of megabytes.
        threading.Thread(
            target=self._run, args=(spec, models_path, hf_endpoint), name=f"pull {spec.name}", daemon=True
        ).start()

    def _run(self, spec: ModelSpec, models_path: Path, hf_endpoint: str) -> None:
        try:
            pulling.pull(spec, models_path, hf_endpoint, self._note)
            del self._pulls[spec.name]
        except FlowChatError as error:
            self._fail(spec.name, error.message)
        except Exception:
            log.exception("pulling %s failed", spec.name)
            self._fail(spec.name, "An unexpected error stopped this; the appliance's log has the details.")

    def _note(self, name: str, done: int, total: int) -> None:
        self._pulls[name] = Pull("running", done, total)

    def _fail(self, name: str, message: str) -> None:
        so_far = self._pulls[name]
        self._pulls[name] = Pull("failed", so_far.bytes_done, so_far.bytes_total, message)
