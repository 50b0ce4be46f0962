"""Every figure of /metrics by name. Each appliance has its own: nothing is global.

Counters and histograms are counted where things happen; gauges are set at a scrape (services/scraping.py). No label has
values that somebody outside could choose: routes are templates, statuses and codes are ours.
"""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Info, ProcessCollector, generate_latest

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_REQUEST_S = (0.005, 0.02, 0.1, 0.5, 2.5, 10, 60)
_STAGE_S = (0.01, 0.05, 0.1, 0.25, 0.5, 1, 2, 4, 8, 16)
_LAG_S = (0.005, 0.02, 0.1, 0.5, 2)
_TOKENS_PER_S = (2, 5, 10, 15, 20, 30, 50, 100)
ANSWER_STAGES = ("wait", "retrieve", "rerank", "generate", "verify")
OUTCOMES = ("answered", "quoted", "refused", "cached", "stopped", "failed")
VERDICTS = ("quoted", "supported", "not_supported", "unfinished", "repeats_prompt", "said_already")
INGEST_STAGES = ("fetch", "read", "embed", "store")
ATTEMPTS = ("succeeded", "failed")


class Metrics:
    """All figures of one appliance, in a registry of its own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self.build = Info("flowchat_build", "What runs.", registry=self.registry)
        self._count_web()
        self._count_answers()
        self._count_ingest()
        self._count_outboxes()
        self._gauge_queues()
        self._gauge_machine()

    def rendered(self) -> bytes:
        """In Prometheus's text format."""
        return generate_latest(self.registry)

    def _count_web(self) -> None:
        self.requests = self._counter("http_requests", "Requests that were answered.", "method", "route", "status")
        self.request_s = self._histogram(
            "http_request_seconds", "From a request to the end of its answer.", _REQUEST_S, "method", "route"
        )
        self.turned_away = self._counter(
            "turned_away", "Requests refused by a limit (429), a full machine (503) or disk (507).", "code"
        )
        self.loop_lag_s = self._histogram("event_loop_lag_seconds", "How late the event loop wakes up.", _LAG_S)

    def _count_answers(self) -> None:
        self.answers = self._counter("answers", "Answers to visitors, by how they ended.", outcome=OUTCOMES)
        self.answer_cache = self._counter("answer_cache", "Questions looked up in the cache.", result=("hit", "miss"))
        self.answer_stage_s = self._histogram(
            "answer_stage_seconds",
            "Time in each stage; verify also finds what to cite.",
            _STAGE_S,
            "stage",
        )
        for stage in ANSWER_STAGES:
            self.answer_stage_s.labels(stage)
        self.first_text_s = self._histogram("answer_first_text_seconds", "From a question to its first text.", _STAGE_S)
        self.answer_s = self._histogram("answer_seconds", "From a question to the end of its answer.", _STAGE_S)
        self.sentences = self._counter(
            "sentences", "Sentences, by what became of them: shown are quoted and supported ones.", verdict=VERDICTS
        )
        self.tokens = self._counter("tokens", "Tokens that the generator read and wrote.", direction=("in", "out"))
        self.tokens_per_s = self._histogram(
            "generation_tokens_per_second", "Tokens written in each second of generation, by answer.", _TOKENS_PER_S
        )
        self.model_failures = self._counter("model_failures", "Model calls that failed; an answer did without.")

    def _count_ingest(self) -> None:
        self.ingest_stage_s = self._histogram(
            "ingest_stage_seconds",
            "Fetch and read: of a page; embed and store: of a batch.",
            _STAGE_S,
            "stage",
        )
        for stage in INGEST_STAGES:
            self.ingest_stage_s.labels(stage)
        self.pages = self._counter("pages", "Pages looked at by jobs.", status=("indexed", "skipped", "failed"))
        self.chunks_embedded = self._counter("chunks_embedded", "Chunks that the embedder has read.")
        self.jobs_ended = self._counter("jobs_ended", "Jobs that have ended.", "type", "status")

    def _count_outboxes(self) -> None:
        self.webhook_attempts = self._counter("webhook_attempts", "Attempts to deliver a webhook.", result=ATTEMPTS)
        self.email_attempts = self._counter("email_attempts", "Attempts to send an e-mail.", result=ATTEMPTS)
        self.meter_attempts = self._counter("meter_attempts", "Attempts to report usage to Stripe.", result=ATTEMPTS)

    def _gauge_queues(self) -> None:
        self.answers_active = self._gauge("answers_active", "Answers in the making.")
        self.answers_waiting = self._gauge("answers_waiting", "Of these, those that show no text yet.")
        self.answer_places = self._gauge("answer_places", "Most answers that are taken in at once.")
        self.jobs = self._gauge("jobs", "Jobs that have not ended.", "type", "status")
        self.oldest_job_s = self._gauge("oldest_queued_job_seconds", "Age of the job that waits longest.")
        self.outbox = self._gauge("outbox", "What waits to be sent (pending) or for the operator.", "of", "status")
        self.held_back = self._gauge("outboxes_held_back", "1 if a restored database waits for `flowchat release`.")
        self.outbox_overdue_s = self._gauge("outbox_overdue_seconds", "How long the oldest has been due.", "of")

    def _gauge_machine(self) -> None:
        self.generator_up = self._gauge("generator_up", "1 if the generator works; 0: answers only quote.")
        self.content = self._gauge("live_content", "What can be asked about now.", "of")
        self.files_bytes = self._gauge("file_bytes", "Sizes of files.", "file")
        self.free_bytes = self._gauge("database_free_bytes", "Within the database: what was deleted and is reused.")
        self.index_bytes = self._gauge("index_bytes", "Sizes of the indexes, looked at every few minutes.", "index")
        self.disk_free_bytes = self._gauge("disk_free_bytes", "Free on the data folder's file system.")
        self.disk_bytes = self._gauge("disk_bytes", "Size of the data folder's file system.")
        self.last_backup = self._gauge("last_backup_timestamp_seconds", "When the newest backup was made; 0: never.")
        self.scrape_s = self._gauge("scrape_seconds", "How long this look at the appliance took.")

    def _counter(self, name: str, help_text: str, *labels: str, **known: tuple[str, ...]) -> Counter:
        """With the values of its label where they are known, so that it stands at 0 before anything happens."""
        counter = Counter(f"flowchat_{name}", help_text, [*labels, *known], registry=self.registry)
        for values in known.values():
            for value in values:
                counter.labels(value)
        return counter

    def _histogram(self, name: str, help_text: str, buckets: tuple[float, ...], *labels: str) -> Histogram:
        return Histogram(f"flowchat_{name}", help_text, labels, buckets=buckets, registry=self.registry)

    def _gauge(self, name: str, help_text: str, *labels: str) -> Gauge:
        return Gauge(f"flowchat_{name}", help_text, labels, registry=self.registry)
