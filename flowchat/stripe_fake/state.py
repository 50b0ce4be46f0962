"""What the fake knows: plain objects in memory, as Stripe's API shows them, and its clock."""

import secrets
import string
import time
from collections import Counter, deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, TypeAlias

from flowchat.stripe_fake.refusals import missing

Json: TypeAlias = dict[str, Any]
API_VERSION = "2026-10-28.endive"  # whose shapes the objects have
AFTER_RETRIES = ("unpaid", "cancel", "past_due")
_ALPHABET = string.ascii_letters + string.digits
HIDDEN = ("tiers", "line_items", "payments")  # fields that are left out unless they are expanded
_MOST_REQUESTS = 500  # that are remembered one by one


def new_id(prefix: str, length: int = 24) -> str:
    return f"{prefix}_{''.join(secrets.choice(_ALPHABET) for _ in range(length))}"


class Clock:
    """Real time, moved by so many seconds; stands still while things happen that were due at some moment."""

    def __init__(self) -> None:
        self._moved_s = 0.0
        self._still: float | None = None

    def now(self) -> int:
        return int(time.time() + self._moved_s if self._still is None else self._still)

    def set(self, moment: float) -> None:
        self._moved_s = moment - time.time()

    @contextmanager
    def at(self, moment: float) -> Iterator[None]:
        before, self._still = self._still, moment
        try:
            yield
        finally:
            self._still = before


@dataclass(slots=True)
class MeterEvent:
    """`counted_at`: from when on sums have it. `error`: why it counts for nobody."""

    identifier: str
    event_name: str
    customer: str
    value: int
    timestamp: int
    created: int
    counted_at: int
    error: tuple[str, str] | None = None


@dataclass(slots=True)
class Behaviour:
    """What a Stripe account has set, and how slow the fake is. `retry_days`: after a failed payment, one by one."""

    after_retries: str = "unpaid"  # what becomes of a subscription whose payment failed every time
    retry_days: tuple[float, ...] = (3, 5, 7)
    finalize_after_s: int = 3600  # how long a renewal's invoice is a draft, which late usage is still counted in
    meter_lag_s: int = 0  # until sums have an event
    latency_s: float = 0.0  # of every call


@dataclass(slots=True)
class Request:
    """One call of the API, as the log has it. `status` 0: it got no answer."""

    id: str
    created: int
    method: str
    path: str
    version: str = ""
    idempotency_key: str | None = None
    status: int = 0
    fault: str = ""
    is_replay: bool = False
    code: str = ""


@dataclass(slots=True)
class Ledger:
    """What a subscription is yet to be billed for: finished lines, and since when the usage of an item is open."""

    pending: list[Json] = field(default_factory=list)
    usage_from: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Usage:
    """What an invoice asks a meter for when it is finalized: the usage of an item, as it was then, in some time."""

    item: Json
    start: int
    end: int


class State:
    """`base_url`: where the hosted pages are. `objects`: by kind and id, oldest first."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.behaviour = Behaviour()
        self.objects: dict[str, dict[str, Json]] = {}
        self.events: dict[str, Json] = {}
        self.thin_events: dict[str, Json] = {}
        self.meter_events: list[MeterEvent] = []
        self.unreported: list[MeterEvent] = []  # those that count for nobody, until a report has told of them
        self.secrets: dict[str, str] = {}  # of webhook endpoints and event destinations
        self.identifiers: dict[str, int] = {}  # of meter events: when each was taken
        self.duplicates: list[str] = []  # identifiers that were refused
        self.declining: set[str] = set()  # customers whose payments fail
        self.ledgers: dict[str, Ledger] = {}  # by subscription
        self.usage_of: dict[str, list[Usage]] = {}  # of invoices that are drafts
        self.wishes: dict[str, Json] = {}  # of checkout sessions: what is subscribed to once it is paid
        self.base_url = ""
        self.requests: deque[Request] = deque(maxlen=_MOST_REQUESTS)
        self.counts: Counter[str] = Counter()
        self.request: Request | None = None  # the one that is being answered
        self.unsent: deque[tuple[str, bool]] = deque()  # events that webhooks take from here; true: it is thin

    def now(self) -> int:
        return self.clock.now()

    def add(self, kind: str, thing: Json) -> Json:
        self.objects.setdefault(kind, {})[thing["id"]] = thing
        return thing

    def all(self, kind: str) -> list[Json]:
        return list(self.objects.get(kind, {}).values())

    def find(self, kind: str, ident: str) -> Json | None:
        return self.objects.get(kind, {}).get(ident)

    def get(self, kind: str, ident: str, *, param: str = "id", status: int = 404) -> Json:
        """Raises Refusal."""
        found = self.find(kind, ident)
        if found is None:
            raise missing(kind, ident, param=param, status=status)
        return found

    def emit(self, kind: str, thing: Json, previous: Json | None = None) -> None:
        """An event about a thing as it is now."""
        data: Json = {"object": bare(thing)}
        if previous is not None:
            data["previous_attributes"] = previous
        self._keep(
            self.events,
            {
                "id": new_id("evt"),
                "object": "event",
                "account": None,
                "api_version": API_VERSION,
                "context": None,
                "created": self.now(),
                "data": data,
                "livemode": False,
                "pending_webhooks": 0,
                "request": {
                    "id": self.request.id if self.request else None,
                    "idempotency_key": self.request.idempotency_key if self.request else None,
                },
                "type": kind,
            },
        )

    def emit_thin(self, kind: str, related: Json, data: Json) -> None:
        """An event that comes without its data, which only who fetches it sees."""
        self._keep(
            self.thin_events,
            {
                "id": new_id("evt_test"),
                "object": "v2.core.event",
                "context": None,
                "created": timestamp(self.now()),
                "data": data,
                "livemode": False,
                "reason": None,
                "related_object": related,
                "type": kind,
            },
        )

    def _keep(self, events: dict[str, Json], event: Json) -> None:
        events[event["id"]] = event
        self.unsent.append((event["id"], events is self.thin_events))

    @contextmanager
    def changing(self, thing: Json, kind: str) -> Iterator[None]:
        """Emits the event, with what was there before, if the block has changed the thing."""
        before = bare(thing)
        yield
        previous = difference(before, bare(thing))
        if previous:
            self.emit(kind, thing, previous)


def bare(value: Any) -> Any:
    """A copy without what only who expands it sees."""
    if isinstance(value, dict):
        return {name: bare(part) for name, part in value.items() if name not in HIDDEN}
    return [bare(part) for part in value] if isinstance(value, list) else value


def difference(before: Json, after: Json) -> Json:
    """What was different before: of hashes only that part of them, of lists all of them."""
    found: Json = {}
    for name in before.keys() | after.keys():
        old, new = before.get(name), after.get(name)
        if old != new:
            both = isinstance(old, dict) and isinstance(new, dict)
            found[name] = difference(old, new) if both else old  # type: ignore[arg-type]
    return found


def timestamp(unix: int) -> str:
    """As the API's second version writes times."""
    return datetime.fromtimestamp(unix, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
