"""The nouns of FlowChat, as frozen dataclasses that every layer shares."""

import secrets
import threading
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

_CROCKFORD = "0123456789abcdefghjkmnpqrstvwxyz"

KeyType = Literal["admin", "widget", "operator"]
Mode = Literal["gate", "annotate"]
SourceStatus = Literal["pending", "crawling", "ready", "failed", "revoked"]
VersionStatus = Literal["building", "live", "former", "failed"]
PageStatus = Literal["queued", "indexed", "skipped", "failed"]
PageSort = Literal["found", "url", "title", "depth", "-depth", "fetched_at", "-fetched_at"]  # -: highest first
ChangeType = Literal["added", "changed", "removed"]
JobType = Literal["crawl", "index_docs", "index_documents", "reindex"]
Schedule = Literal["hourly", "daily", "weekly", "monthly"]
Role = Literal["owner", "editor", "viewer"]
UsageGroup = Literal["key", "source"]
EventType = Literal[
    "source.crawl.completed", "source.crawl.failed", "source.revoked", "version.indexed", "version.failed", "ping"
]
Rating = Literal["up", "down"]
DeliveryStatus = Literal["pending", "succeeded", "failed"]
JobStatus = Literal["queued", "running", "succeeded", "failed", "canceled"]


_numbering = threading.Lock()
_last_number = 0


def new_id(prefix: str) -> str:
    """A prefixed id that sorts by its time of creation: 48 bits of milliseconds, 80 random bits (as in ULID).

    Of two that this process makes in one millisecond, the later one is the former plus one (ULID, "Monotonicity"):
    lists show what was done last first.
    """
    global _last_number
    with _numbering:
        number = (time.time_ns() // 1_000_000 << 80) | secrets.randbits(80)
        if number >> 80 <= _last_number >> 80:
            number = _last_number + 1
        _last_number = number
    return prefix + "_" + "".join(_CROCKFORD[number >> shift & 31] for shift in range(125, -1, -5))


def clock() -> datetime:
    """The present time in UTC. All that follows the calendar asks `now`, and that asks here: tests set this one."""
    return datetime.now(UTC)


def now(after_s: float = 0) -> str:
    """The present time, or that many seconds after it, as RFC 3339 in UTC. Such texts sort by time."""
    moment = clock() + timedelta(seconds=after_s)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def place(title: str, headings: tuple[str, ...]) -> str:
    """Where a chunk stands. Every model reads it before the chunk's text."""
    return " > ".join(dict.fromkeys((title, *headings)))


EXTRACTOR = 4  # of what a page's chunks are made by: pages that another one read are fetched again, changed or not


@dataclass(frozen=True, slots=True)
class Tenant:
    id: str
    slug: str
    name: str
    created_at: str
    retention_days: int = 90
    closed_at: str | None = None
    moved_at: str | None = None


@dataclass(frozen=True, slots=True)
class Caps:
    """Answers that a key may give in a day and in a month (UTC). None: any number."""

    daily: int | None = None
    monthly: int | None = None


@dataclass(frozen=True, slots=True)
class Limits:
    """Questions a minute: all of a key's together, and each visitor's. None: the appliance's own limit alone."""

    per_minute: int | None = None
    visitor_per_minute: int | None = None


@dataclass(frozen=True, slots=True)
class WidgetConfig:
    """What a widget shows besides answers. `texts` replaces FlowChat's own, by name."""

    starter_questions: tuple[str, ...] = ()
    contact_url: str | None = None
    texts: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Key:
    """A credential, without its secret: only the SHA-256 of that is stored."""

    id: str
    tenant_id: str
    type: KeyType
    name: str
    prefix: str
    last_four: str
    mode: Mode
    scopes: tuple[str, ...]
    origins: tuple[str, ...]
    sources: tuple[str, ...]
    created_at: str
    caps: Caps = field(default_factory=Caps)
    limits: Limits = field(default_factory=Limits)
    widget: WidgetConfig = field(default_factory=WidgetConfig)
    billed: bool = True  # False: FlowChat's own
    expires_at: str | None = None
    revoked_at: str | None = None
    rotated_to: str | None = None  # its successor, while it stays good for a while

    @property
    def is_test(self) -> bool:
        return self.prefix.startswith("kbk_test_")

    @property
    def is_metered(self) -> bool:
        """Whether its answers are billed."""
        return self.billed and not self.is_test


@dataclass(frozen=True, slots=True)
class Actor:
    """Who asks for an operation: the command line, the holder of a key, or a user who is signed in to the admin."""

    tenant_id: str
    name: str
    scopes: frozenset[str]
    address: str = ""
    key_id: str = ""
    user_id: str = ""


@dataclass(frozen=True, slots=True)
class CrawlConfig:
    """What a source's crawl takes in. Patterns are globs over the URL's path."""

    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    max_pages: int | None = None
    max_depth: int | None = None


@dataclass(frozen=True, slots=True)
class SourceWarning:
    """What its operator should know about a source. `code` is for programs."""

    code: str
    message: str


@dataclass(frozen=True, slots=True)
class Source:
    """A crawled site, or a set of documents. `url` is None for one that is not crawled."""

    id: str
    tenant_id: str
    slug: str
    name: str
    url: str | None
    status: SourceStatus
    locale: str
    config: CrawlConfig
    live_version: str | None
    pages: int
    chunks: int
    last_crawl: str | None
    created_at: str
    schedule: Schedule | None = None
    next_crawl: str | None = None
    sitemap: str | None = None
    auth: str | None = None  # its type, ':', and the encrypted JSON
    revoked_at: str | None = None
    is_builtin: bool = False  # FlowChat's own documentation
    language: str = ""  # of its live version
    warnings: tuple[SourceWarning, ...] = ()


@dataclass(frozen=True, slots=True)
class Version:
    """One immutable state of a source's content. `seq` is its number inside the database."""

    id: str
    seq: int
    source_id: str
    number: int
    status: VersionStatus
    embedder: str
    pages: int
    chunks: int
    created_at: str
    live_at: str | None
    content_hash: str | None = None  # of the documents it is made of, or of the choices that its crawl follows
    extractor: int = 0
    former: str | None = None  # the version that was live before it
    added: int | None = None  # pages, against that one
    changed: int | None = None
    removed: int | None = None
    language: str = ""  # of most of its pages, without region: en, de


@dataclass(frozen=True, slots=True)
class PageFacts:
    """What is kept of a page beside its chunks: what it says of itself, and what its next visit needs."""

    description: str = ""
    language: str = ""  # BCP 47 in lower case
    published: str = ""  # RFC 3339 date or time
    modified: str = ""
    etag: str | None = None
    last_modified: str | None = None
    outlinks: tuple[str, ...] = ()  # on its own host
    simhash: int | None = None  # of its text, 64 bits, signed
    duplicate_of: str | None = None  # the address of the page that says the same, or stands for it
    kept: int = 0  # crawls in a row that could not fetch it and took it from the former version


NO_FACTS = PageFacts()


@dataclass(frozen=True, slots=True)
class Page:
    """One URL of a version, with what became of it. `reason` says why it was skipped, failed, or kept as it was."""

    id: int
    url: str
    depth: int
    status: PageStatus
    reason: str | None = None
    http_status: int | None = None
    title: str = ""
    content_hash: str | None = None
    fetched_at: str | None = None
    facts: PageFacts = NO_FACTS


@dataclass(frozen=True, slots=True)
class PageChange:
    """How a page of one version differs from another version's. `reason` says why a removed one is not in it."""

    id: int
    url: str
    title: str
    change: ChangeType
    reason: str | None


@dataclass(frozen=True, slots=True)
class Block:
    """A piece of a page's main content, in reading order. `anchor` is the nearest heading's, '' at the top."""

    kind: Literal["text", "list", "code", "table"]
    text: str
    headings: tuple[str, ...] = ()
    anchor: str = ""


@dataclass(frozen=True, slots=True)
class Document:
    """What extraction makes of a fetched page. Addresses are as the page writes them, relative to `base`."""

    title: str
    language: str  # BCP 47 in lower case, '' where the page doesn't say
    blocks: tuple[Block, ...]
    links: tuple[str, ...]  # in their order, without those marked rel=nofollow
    noindex: bool = False
    nofollow: bool = False
    canonical: str | None = None
    base: str = ""  # of <base href>; '': the page's own address
    refresh: str = ""  # where <meta http-equiv=refresh> leads
    alternates: tuple[tuple[str, str], ...] = ()  # (hreflang in lower case, address)
    feeds: tuple[str, ...] = ()
    description: str = ""
    published: str = ""  # RFC 3339 date or time
    modified: str = ""
    needs_javascript: bool = False  # its text is made by scripts


@dataclass(frozen=True, slots=True)
class StoredDocument:
    """An uploaded file. `url` is what answers cite: where visitors can read it, else '#' and its name."""

    id: str
    source_id: str
    name: str
    url: str
    content_type: str
    bytes: int
    content_hash: str
    created_at: str
    is_indexed: bool = False  # in the live version, as it is


@dataclass(frozen=True, slots=True)
class NewChunk:
    """A chunk before it is stored."""

    text: str
    headings: tuple[str, ...]
    anchor: str


@dataclass(frozen=True, slots=True)
class PageOutcome:
    """What became of one page on its way into a version. Only an indexed one has chunks."""

    url: str
    depth: int
    status: PageStatus
    reason: str | None = None
    http_status: int | None = None
    title: str = ""
    content_hash: str | None = None
    chunks: tuple[NewChunk, ...] = ()
    links: tuple[str, ...] = ()  # what the crawl has to fetch because of it
    facts: PageFacts = NO_FACTS


@dataclass(frozen=True, slots=True)
class Chunk:
    """A passage of a page, small enough to be embedded, ranked and cited. `rowid` joins it to its indexes."""

    id: str
    rowid: int
    version_id: str
    url: str
    title: str
    headings: tuple[str, ...]
    text: str

    @property
    def place(self) -> str:
        return place(self.title, self.headings)


@dataclass(frozen=True, slots=True)
class Hit:
    """A chunk found for a question; `score` (0-1) is what ranks it, `relevance` the reranker's own part of that."""

    chunk: Chunk
    score: float
    relevance: float = 0.0


@dataclass(frozen=True, slots=True)
class Citation:
    ref: int
    chunk_id: str
    url: str
    title: str
    quote: str
    verified: bool | None
    score: float | None


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a sentence's sources entail it, shown or withheld. `ref` is the sentence's citation."""

    ref: int
    ok: bool
    score: float
    chunk_id: str


@dataclass(frozen=True, slots=True)
class Feedback:
    """What a visitor thinks of an answer. `query` is the question."""

    id: str
    message_id: str
    conversation_id: str
    query: str
    rating: Rating
    reason: str
    created_at: str


@dataclass(frozen=True, slots=True)
class CuratedAnswer:
    """An operator's own answer to a question. `source_id` None: for all of the tenant's sources."""

    id: str
    tenant_id: str
    source_id: str | None
    chunk_id: str
    question: str
    answer: str
    url: str | None
    created_at: str
    updated_at: str


@dataclass(frozen=True, slots=True)
class JobProgress:
    """`total` counts what is known so far: a crawl finds more as it goes.

    `reasons` is {"skipped": {reason: pages}, "failed": {reason: pages}, "kept": {reason: pages}}.
    """

    done: int = 0
    total: int = 0
    fetched: int = 0  # pages that the site was asked for and answered
    unchanged: int = 0  # of those, pages that it said are as they were
    indexed: int = 0
    skipped: int = 0
    failed: int = 0
    chunks: int = 0
    embedded: int = 0  # chunks that went through the model
    pages_per_s: float | None = None  # of late
    remaining_s: int | None = None  # at that rate, for the pages known so far
    reasons: dict[str, dict[str, int]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Job:
    """A piece of background work. The row is the truth; the queue only wakes a worker up."""

    id: str
    tenant_id: str
    type: JobType
    source_id: str | None
    version_id: str | None
    status: JobStatus
    progress: JobProgress
    error: str | None
    attempts: int
    cancel_requested: bool
    created_at: str
    started_at: str | None
    finished_at: str | None
    max_pages: int | None = None  # of this crawl alone
    accept_removals: bool = False  # this crawl may remove most pages
    paused_at: str | None = None


@dataclass(frozen=True, slots=True)
class Event:
    """One event of the chat stream, as the contract names it."""

    name: str
    data: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class UsageCounts:
    """What was done and what of it is billed, in one deed or summed up."""

    queries: int = 0
    refusals: int = 0
    tokens_in: int = 0
    tokens_out: int = 0
    pages_crawled: int = 0
    chunks_embedded: int = 0
    billable_queries: int = 0
    billable_pages: int = 0
    free_pages: int = 0  # of the tenant's first crawl
    cost_nano: int = 0  # billionths of the currency, at the prices of the moment


@dataclass(frozen=True, slots=True)
class UsageDay:
    """The sums of one UTC day: all of a tenant's, or those of one of its groups. A final one never changes."""

    date: str
    counts: UsageCounts
    is_final: bool
    grouped_by: UsageGroup | None = None
    group_id: str | None = None  # the key or source; None also for what was done without one
    currency: str = "usd"  # of its cost


@dataclass(frozen=True, slots=True)
class AnswerDay:
    """How the answers of one UTC day turned out. Times are until the first text: the median and the 95th percentile."""

    date: str
    answers: int
    refusals: int
    sentences: int  # that were checked
    verified: int
    first_text_ms: int | None
    slow_text_ms: int | None


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """One deed: who did what to which thing, when, and from which address."""

    id: str
    actor: str
    operation: str
    target: str
    detail: dict[str, Any]
    address: str
    created_at: str


@dataclass(frozen=True, slots=True)
class WebhookEvent:
    """Something that endpoints are told of. `data` is what it is about."""

    id: str
    tenant_id: str
    type: EventType
    data: dict[str, Any]
    created_at: str


@dataclass(frozen=True, slots=True)
class Webhook:
    """An endpoint that is told of events: of these types, or of all ("*"). Its secrets are encrypted.

    The former secret signs too until `former_until`. `failing_since`: nothing but failures since then.
    """

    id: str
    tenant_id: str
    url: str
    events: tuple[str, ...]
    description: str
    secret: str
    created_at: str
    former_secret: str | None = None
    former_until: str | None = None
    failing_since: str | None = None
    disabled_at: str | None = None
    disabled_reason: str | None = None


@dataclass(frozen=True, slots=True)
class DeliveryAttempt:
    """One request to an endpoint. `http_status` None: there was no answer, and `error` says why.

    `response` is the first kilobyte of the answer's body.
    """

    at: str
    http_status: int | None
    error: str | None
    duration_ms: int
    response: str


@dataclass(frozen=True, slots=True)
class Delivery:
    """An event on its way to an endpoint. `tries` counts the attempts since it was last begun."""

    id: str
    tenant_id: str
    webhook_id: str
    event: WebhookEvent
    status: DeliveryStatus
    attempts: tuple[DeliveryAttempt, ...]
    tries: int
    next_attempt_at: str | None
    created_at: str


@dataclass(frozen=True, slots=True)
class User:
    id: str
    tenant_id: str
    email: str
    name: str
    role: Role
    created_at: str
    operator: bool = False  # may do what concerns the machine, too
    has_password: bool = False  # False: was invited, and has not chosen one yet
    second_factor: bool | None = False  # None: not told
    signed_in_at: str | None = None


@dataclass(frozen=True, slots=True)
class Account:
    """A user with what is secret about them. `totp_secret` is sealed; None: no second factor."""

    user: User
    tenant_name: str
    tenant_slug: str
    password_hash: str | None
    totp_secret: str | None


@dataclass(frozen=True, slots=True)
class Session:
    """A browser that a user is signed in with."""

    id: str
    user_id: str
    created_at: str
    last_seen_at: str
    address: str
    user_agent: str
