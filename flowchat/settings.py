"""The only reader of the environment: one typed table of settings, each with its default and help text."""

import math
import os
import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from flowchat.errors import FlowChatError

PREFIX = "FLOWCHAT_"
SIGN_UP_MODES = ("closed", "invite", "open")
LOG_FORMATS = ("text", "json")
_BOOLEANS = {"yes": True, "true": True, "1": True, "no": False, "false": False, "0": False}


def _setting(
    default: Any, help_text: str, *, secret: bool = False, minimum: float = 0, maximum: float | None = None
) -> Any:
    """The limits are those of numbers, inclusive."""
    return field(
        default=default, metadata={"help": help_text, "secret": secret, "minimum": minimum, "maximum": maximum}
    )


@dataclass(frozen=True, slots=True)
class Settings:
    """Every setting. `FLOWCHAT_` + the upper-case field name is its environment variable."""

    host: str = _setting("127.0.0.1", "Address to listen on.")
    port: int = _setting(8080, "Port to listen on.", maximum=65535)
    public_url: str = _setting("", "Address the world uses, such as https://chat.example.com. Empty: http://HOST:PORT.")
    trusted_proxies: tuple[str, ...] = _setting(
        (), "Addresses or networks of reverse proxies whose X-Forwarded-For is believed, comma-separated."
    )
    data_dir: Path = _setting(Path("data"), "Folder of the database, models and backups.")
    models_dir: Path = _setting(Path(), "Folder of the models. Empty: 'models' in the data folder.")
    allow_private_hosts: tuple[str, ...] = _setting(
        (), "Hosts (host or host:port, comma-separated) that crawls and webhooks may reach although private."
    )
    user_agent: str = _setting("FlowChatBot/0.1 (+https://flowchat.com/bot)", "What crawls call themselves.")
    crawl_delay_s: float = _setting(0.0, "Least pause between two requests to one host; robots.txt can ask for more.")
    crawl_concurrency: int = _setting(1, "Requests to one host at the same time.", minimum=1, maximum=32)
    crawl_timeout_s: float = _setting(30.0, "Time-out of one fetched page.", minimum=0.1)
    crawl_max_bytes: int = _setting(10_000_000, "Largest page that is read, decompressed.", minimum=1)
    renderer: str = _setting(
        "",
        "Renders pages whose text is made by scripts: chromium, or the path of a Chromium. Empty: they are skipped.",
    )
    crawl_max_pages: int = _setting(5_000, "Pages of one crawl, where the source does not say.", minimum=1)
    upload_max_bytes: int = _setting(20_000_000, "Largest request that uploads documents.", minimum=1)
    crawl_workers: int = _setting(
        1, "Crawls and other jobs that the server does at the same time. 0: none, `flowchat worker` processes do them."
    )
    queue_url: str = _setting(
        "",
        "Redis that carries wake-ups to workers: redis://, rediss:// or unix://. Empty: a file in the data folder.",
        secret=True,
    )
    embedder: str = _setting("bge-small-en-v1_5-int8", "Embedding model; another one re-indexes every source.")
    reranker: str = _setting("ms-marco-MiniLM-L-12-v2-int8", "Reranking model.")
    verifier: str = _setting("flowchat-verifier-2", "Entailment model that checks every sentence.")
    generator: str = _setting(
        "qwen2_5-coder-0_5b-instruct-q4_k_m",
        "Generator: a model name, openai:MODEL@URL for an OpenAI-compatible server, or 'extractive' to only quote.",
    )
    generator_api_key: str = _setting("", "API key of an OpenAI-compatible generator.", secret=True)
    llama_binding: str = _setting(
        "auto", "llama.cpp binding: xllamacpp, llama-cpp-python, or auto (llama-cpp-python where it is installed)."
    )
    threads: int = _setting(0, "Processor threads a model may use. 0: as many as there are cores.")
    parallel_answers: int = _setting(4, "Answers that are worked on at the same time.", minimum=1)
    queued_answers: int = _setting(
        8, "Answers beyond those that may be taken in while their turn comes soon; more get 503 with Retry-After."
    )
    answer_timeout_s: float = _setting(120.0, "Longest time one answer may take.", minimum=0.1)
    answer_patience_s: float = _setting(
        8.0, "Time after a question at which generation ends; the answer ends with what it has shown.", minimum=0.1
    )
    answer_cache_mb: int = _setting(16, "Memory for answers to questions that are asked again. 0: none is kept.")
    verify_threshold: float = _setting(
        0.8, "Entailment probability (0-1) from which a sentence counts as supported by its page.", maximum=1
    )
    refuse_below: float = _setting(
        0.6, "How likely (0-1) the pages must be to answer a question; below that it is refused.", maximum=1
    )
    lead_quotes: int = _setting(
        3,
        "Sentences of the sources that open an answer word for word (0-3). 0: only where the generator shows nothing.",
        maximum=3,
    )
    link_hosts: tuple[str, ...] = _setting(
        (),
        "Hosts whose addresses answers may show although the cited page is another site's, comma-separated; * for all.",
    )
    questions_per_minute: int = _setting(120, "Questions one client may ask in a minute. 0: no limit.")
    calls_per_minute: int = _setting(
        600, "REST calls one key may make in a minute, or one address without a valid key. 0: no limit."
    )
    min_free_mb: int = _setting(
        500, "Free MB on the disk of the data folder below which no crawls, uploads and pulls begin. 0: they always do."
    )
    max_connections: int = _setting(
        4_000, "Open connections in all, fewer where the system gives fewer descriptors; more get 503.", minimum=10
    )
    max_connections_per_address: int = _setting(
        256,
        "Open connections, and streams, of one address; more get 429. FLOWCHAT_TRUSTED_PROXIES may have any number.",
    )
    session_idle_hours: float = _setting(
        12.0, "Hours without use after which a sign-in to the admin ends.", minimum=0.01
    )
    session_max_days: float = _setting(
        30.0, "Days after which a sign-in to the admin ends, however much it is used.", minimum=0.01
    )
    signup: str = _setting(
        "closed", "Who may sign up: closed (nobody), invite (whoever has an invite) or open (everybody)."
    )
    signup_live_keys: bool = _setting(
        False, "Whether a sign-up's widget key is a live one, which counts against the trial, and no test key."
    )
    smtp_url: str = _setting(
        "",
        "Mail server: smtp://USER:PASSWORD@HOST:PORT (STARTTLS where offered) or smtps://… . Empty: no e-mail is sent.",
        secret=True,
    )
    mail_from: str = _setting("", "Sender of e-mails, such as 'Acme Chat <chat@example.com>'. Needed with SMTP.")
    currency: str = _setting("usd", "Currency of all prices (ISO 4217). Choose it before there is any usage.")
    past_due_days: int = _setting(14, "Days after a payment has failed until the tenant can only read.")
    stripe_api_key: str = _setting("", "Stripe secret key. Empty: nothing is billed.", secret=True)
    stripe_api_base: str = _setting(
        "https://api.stripe.com", "Address of Stripe's API; `flowchat billing fake` is one."
    )
    stripe_webhook_secret: str = _setting(
        "", "Secrets (whsec_…) of Stripe's webhook endpoints at /v1/stripe/events, comma-separated.", secret=True
    )
    hf_endpoint: str = _setting("https://huggingface.co", "Hugging Face hub that models are pulled from.")
    backup_every_hours: float = _setting(1.0, "Hours between two backups that are made by themselves. 0: none is made.")
    backup_keep_hourly: int = _setting(12, "Such backups that are kept: the newest of each of so many hours.")
    backup_keep_daily: int = _setting(7, "And the newest of each of so many days.")
    backup_keep_weekly: int = _setting(4, "And the newest of each of so many weeks. Backups made by hand all stay.")
    backup_s3_bucket: str = _setting(
        "", "S3 bucket that backups are uploaded to, as BUCKET or BUCKET/PREFIX. Empty: they stay on this disk."
    )
    backup_s3_endpoint: str = _setting(
        "", "Address of an S3 server other than Amazon's, such as https://s3.example.com."
    )
    backup_s3_region: str = _setting("us-east-1", "Region of the bucket; many servers other than Amazon's take any.")
    backup_s3_access_key: str = _setting("", "Access key of the bucket.")
    backup_s3_secret_key: str = _setting("", "Secret key of the bucket.", secret=True)
    backup_s3_rotate: bool = _setting(
        True, "Whether old backups are deleted at S3, too. no: a lifecycle rule of the bucket does it, or nobody."
    )
    log_level: str = _setting("INFO", "DEBUG, INFO, WARNING or ERROR.")
    log_format: str = _setting("text", "How the log is written: text for people, json (an object a line) for programs.")

    @property
    def database_path(self) -> Path:
        return self.data_dir / "flowchat.db"

    @property
    def models_path(self) -> Path:
        return self.models_dir if self.models_dir != Path() else self.data_dir / "models"

    @property
    def secrets(self) -> list[str]:
        """The values that nobody may read, and the parts of them that may turn up alone."""
        values = [str(getattr(self, f.name)) for f in fields(Settings) if f.metadata["secret"]]
        parts = [part.strip() for value in values for part in value.split(",")]
        passwords = [urlsplit(value).password or "" for value in values if "://" in value]
        return [*values, *parts, *passwords, *map(unquote, passwords)]

    @property
    def origin(self) -> str:
        """The appliance's own address, without a trailing slash."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return self.public_url.rstrip("/") or f"http://{host}:{self.port}"


@dataclass(frozen=True, slots=True)
class SettingRow:
    """One line of `flowchat settings`; a secret's value is masked."""

    variable: str
    value: str
    default: str
    help: str
    secret: bool


def load(environ: Mapping[str, str] | None = None) -> Settings:
    """Read the settings from the environment; an empty variable is an absent one.

    Raises FlowChatError naming the variable that can't be understood, or is out of its limits.
    """
    environ = os.environ if environ is None else environ
    values: dict[str, Any] = {}
    for f in fields(Settings):
        variable = PREFIX + f.name.upper()
        raw = environ.get(variable, "").strip()
        if f.name == "hf_endpoint":
            raw = raw or environ.get("HF_ENDPOINT", "").strip()
        if raw:
            values[f.name] = _parse(variable, raw, f.default)
            _check_limits(variable, values[f.name], f.metadata["minimum"], f.metadata["maximum"])
    settings = Settings(**values)
    if settings.signup not in SIGN_UP_MODES:
        message = f"FLOWCHAT_SIGNUP must be {', '.join(SIGN_UP_MODES)}, not '{settings.signup}'."
        raise FlowChatError("bad_setting", message, param="FLOWCHAT_SIGNUP")
    if settings.log_format not in LOG_FORMATS:
        message = f"FLOWCHAT_LOG_FORMAT must be {' or '.join(LOG_FORMATS)}, not '{settings.log_format}'."
        raise FlowChatError("bad_setting", message, param="FLOWCHAT_LOG_FORMAT")
    if not re.fullmatch("[a-z]{3}", settings.currency.lower()):
        message = f"FLOWCHAT_CURRENCY must be a code of three letters, such as usd or eur, not '{settings.currency}'."
        raise FlowChatError("bad_setting", message, param="FLOWCHAT_CURRENCY")
    if not settings.stripe_api_base.startswith(("https://", "http://")):
        message = f"FLOWCHAT_STRIPE_API_BASE must be an http or https address, not '{settings.stripe_api_base}'."
        raise FlowChatError("bad_setting", message, param="FLOWCHAT_STRIPE_API_BASE")
    if settings.queue_url and not settings.queue_url.startswith(("redis://", "rediss://", "unix://")):
        variable = PREFIX + "QUEUE_URL"
        message = f"{variable} must be a redis://, rediss:// or unix:// address, such as redis://127.0.0.1:6379/0."
        raise FlowChatError("bad_setting", message, param=variable)
    if settings.renderer and shutil.which(settings.renderer) is None:
        variable = PREFIX + "RENDERER"
        message = f"{variable} names '{settings.renderer}', which is no program here: install it, or name another."
        raise FlowChatError("bad_setting", message, param=variable)
    return settings


def _parse(variable: str, raw: str, default: Any) -> Any:
    try:
        if isinstance(default, bool):
            return _BOOLEANS[raw.lower()]
        if isinstance(default, tuple):
            return tuple(part.strip() for part in raw.split(",") if part.strip())
        return type(default)(raw)
    except (ValueError, KeyError):
        kind = {bool: "yes or no", int: "a whole number", float: "a number"}.get(type(default), "text")
        raise FlowChatError("bad_setting", f"{variable} must be {kind}, not '{raw}'.", param=variable) from None


def _check_limits(variable: str, value: Any, minimum: float, maximum: float | None) -> None:
    if not isinstance(value, (int, float)):
        return
    if not math.isfinite(value) or value < minimum or (maximum is not None and value > maximum):
        limits = f"{minimum} or more" if maximum is None else f"from {minimum} to {maximum}"
        raise FlowChatError("bad_setting", f"{variable} must be {limits}, not {value}.", param=variable)


def describe(settings: Settings) -> list[SettingRow]:
    """All settings with their present and default values, for `flowchat settings` and the documentation."""
    rows = []
    for f in fields(Settings):
        secret = bool(f.metadata["secret"])
        value, default = getattr(settings, f.name), f.default
        if f.name == "models_dir":
            value, default = settings.models_path, Settings().models_path
        shown = ("set" if value else "") if secret else _shown(value)
        rows.append(SettingRow(PREFIX + f.name.upper(), shown, _shown(default), f.metadata["help"], secret))
    return rows


def _shown(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, tuple):
        return ",".join(value)
    return str(value)
