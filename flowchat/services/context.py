"""What the services work with. app.py makes it; so does the command line, which needs no models for most things."""

import asyncio
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from flowchat.answer.cache import AnswerCache
from flowchat.answer.pipeline import Answerer
from flowchat.engines.priority import BulkGate
from flowchat.engines.protocols import Embedder, Engines
from flowchat.metrics import Metrics
from flowchat.services.backup_runs import BackupRuns
from flowchat.services.limits import RateLimiter, Slots, Streams
from flowchat.services.passwords import Passwords
from flowchat.services.pulls import Pulls
from flowchat.services.revocations import Revocations
from flowchat.services.runs import Runs
from flowchat.services.throttle import Throttle
from flowchat.settings import Settings
from flowchat.store.database import Database
from flowchat.store.revocations import RevokedKind

MEGABYTE = 1_000_000
MAX_PREVIEWS = 2  # looks at sites at once: each parses pages beside the searches


@dataclass(slots=True, kw_only=True)
class Context:
    """Enough to read and change what is stored. `wake(job_id)` tells a worker; the jobs table is the truth.

    `wake_delivery()`, after a transaction that recorded an event, only makes its webhooks quicker; so does
    `wake_mail()` after one that wrote an e-mail. `syncing` is held while a subscription is fetched from Stripe and
    stored.
    """

    settings: Settings
    db: Database
    wake: Callable[[str], None]
    wake_delivery: Callable[[], None] = field(default=lambda: None)
    wake_mail: Callable[[], None] = field(default=lambda: None)
    revocations: Revocations = field(init=False)
    metrics: Metrics = field(default_factory=Metrics, init=False)
    syncing: asyncio.Lock = field(default_factory=asyncio.Lock, init=False)

    def __post_init__(self) -> None:
        self.revocations = Revocations(self.settings.data_dir)


class Workplace(Protocol):
    """What doing jobs takes: the running appliance has it, and so has a worker process beside it, without its chats.

    `stopping` asks the jobs to let go; they are queued again, for others or the next start.
    """

    @property
    def settings(self) -> Settings: ...

    @property
    def db(self) -> Database: ...

    @property
    def embedder(self) -> Embedder: ...

    @property
    def gate(self) -> BulkGate: ...

    @property
    def stopping(self) -> threading.Event: ...

    @property
    def metrics(self) -> Metrics: ...


@dataclass(slots=True, kw_only=True)
class Workshop(Context):
    """A `Workplace` with the one model that jobs need."""

    embedder: Embedder
    gate: BulkGate = field(default_factory=BulkGate)
    stopping: threading.Event = field(default_factory=threading.Event)


@dataclass(slots=True, kw_only=True)
class Appliance(Context):
    """The running appliance, which is a `Workplace`, too.

    `runs`, `slots`, `limiter`, `streams` and `cache` are what chat keeps in memory; `passwords`, `throttle` and
    `audited_failures` are for signing in; `pulls` are models on their way, `previews` the places for looks at sites,
    `tried` the tenants that have asked in the playground.
    """

    engines: Engines
    gate: BulkGate
    answerer: Answerer
    stopping: threading.Event = field(default_factory=threading.Event)
    runs: Runs = field(default_factory=Runs, init=False)
    slots: Slots = field(init=False)
    limiter: RateLimiter = field(init=False)
    streams: Streams = field(default_factory=Streams, init=False)
    cache: AnswerCache = field(init=False)
    pulls: Pulls = field(default_factory=Pulls, init=False)
    tried: set[str] = field(default_factory=set, init=False)
    previews: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(MAX_PREVIEWS), init=False)
    passwords: Passwords = field(default_factory=Passwords, init=False)
    throttle: Throttle = field(default_factory=Throttle, init=False)
    audited_failures: Throttle = field(default_factory=Throttle, init=False)
    backups: BackupRuns = field(init=False)

    def __post_init__(self) -> None:
        self.slots = Slots(self.settings.parallel_answers, self.settings.queued_answers)
        self.limiter = RateLimiter()
        self.backups = BackupRuns(self.settings, self.stopping)
        self.cache = AnswerCache(self.settings.answer_cache_mb * MEGABYTE)
        self.revocations = Revocations(self.settings.data_dir, self._on_revoked)

    @property
    def embedder(self) -> Embedder:
        return self.engines.embedder

    def _on_revoked(self, kind: RevokedKind, ident: str) -> None:
        self.runs.revoke(kind, ident)
        if kind == "source":
            self.cache.clear()  # its text is not to be kept, not even where nobody can ask for it
