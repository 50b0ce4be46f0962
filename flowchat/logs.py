"""The log: one line an entry, as text or JSON, each with what it is part of. No secrets, no forged lines.

What is being worked on is kept in a context variable, which tasks and threads inherit: a request names itself once,
and what its answer's models log much later still tells its id.
"""

import json
import logging
import re
import sys
import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import IO, Any, Literal

from flowchat.redaction import Redactor

Format = Literal["text", "json"]
MAX_MESSAGE_CHARS = 10_000
MAX_EXCEPTION_CHARS = 50_000
REQUEST_ID = re.compile(r"[\w.:-]{8,128}", re.ASCII)  # harmless in logs, headers and URLs

log = logging.getLogger(__name__)


@dataclass(slots=True)
class Work:
    """What is being done, by ids; '' where there is none. Filled in as it becomes known: tasks share one object."""

    request_id: str = ""
    tenant_id: str = ""
    job_id: str = ""
    route: str = ""  # the template, such as /v1/sources/<source_id>

    @property
    def ids(self) -> dict[str, str]:
        named = {"request_id": self.request_id, "tenant_id": self.tenant_id, "job_id": self.job_id}
        return {name: ident for name, ident in named.items() if ident}


_present: ContextVar[Work | None] = ContextVar("work", default=None)


@contextmanager
def doing(work: Work) -> Iterator[Work]:
    """What is logged in this block, and by tasks and threads begun in it, is part of this work."""
    token = _present.set(work)
    try:
        yield work
    finally:
        _present.reset(token)


def current() -> Work:
    """What is being done here; nothing in particular where nobody said."""
    return _present.get() or Work()


def headers() -> dict[str, str]:
    """What tells a server of ours which request a call is part of."""
    request_id = current().request_id
    return {"X-Request-Id": request_id} if request_id else {}


class _Formatter(logging.Formatter):
    def __init__(self, redactor: Redactor) -> None:
        super().__init__()
        self._redact = redactor.redact

    def _message(self, record: logging.LogRecord) -> str:
        return self._redact(record.getMessage()[:MAX_MESSAGE_CHARS])

    def _exception(self, record: logging.LogRecord) -> str:
        text = self.formatException(record.exc_info) if record.exc_info and record.exc_info[0] else ""
        return self._redact(text[-MAX_EXCEPTION_CHARS:])


class JsonFormatter(_Formatter):
    """An object a line, in ASCII: whatever could end or colour a line is escaped."""

    def format(self, record: logging.LogRecord) -> str:
        entry: dict[str, Any] = {
            "time": _time(record),
            "level": record.levelname,
            "logger": record.name,
            "message": self._message(record),
            **current().ids,
            **_fields(record),
        }
        if exception := self._exception(record):
            entry["exception"] = exception
        return json.dumps(entry)


class TextFormatter(_Formatter):
    """For people. Lines of an exception are indented, so that none of them looks like an entry."""

    def format(self, record: logging.LogRecord) -> str:
        ids = " ".join(current().ids.values())
        place = f"{record.name} [{ids}]" if ids else record.name
        lines = [f"{_time(record)} {record.levelname} {place}: {_visible(self._message(record))}"]
        lines += [f"    {_visible(line)}" for line in self._exception(record).split("\n") if line]
        return "\n".join(lines)


def _time(record: logging.LogRecord) -> str:
    return datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _fields(record: logging.LogRecord) -> Mapping[str, Any]:
    """Figures of an entry, as in `log.info(…, extra={"fields": {"ms": 12}})`: programs need not parse its message."""
    fields: Mapping[str, Any] = getattr(record, "fields", {})
    return fields


def _visible(text: str) -> str:
    """On one line, and in one colour."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)


class _Handler(logging.StreamHandler[Any]):
    def handleError(self, record: logging.LogRecord) -> None:
        """The library would print the message as it is, with whatever is in it."""
        if not isinstance(sys.exc_info()[1], OSError):  # of a stream that nobody reads any more
            self.stream.write(f"An entry could not be logged: {record.name}, line {record.lineno}.\n")


def handler(log_format: Format, secrets: Iterable[str], stream: IO[str]) -> logging.Handler:
    """Writes to the stream. `secrets` never show, nor does what looks like one of FlowChat's."""
    made, redactor = _Handler(stream), Redactor(secrets)
    made.setFormatter(JsonFormatter(redactor) if log_format == "json" else TextFormatter(redactor))
    return made


def set_up(level: int, log_format: Format, secrets: Iterable[str]) -> None:
    """Log to standard error from now on. Of libraries only warnings: what they tell beyond is not ours to publish."""
    logging.basicConfig(
        level=max(level, logging.WARNING), handlers=[handler(log_format, secrets, sys.stderr)], force=True
    )
    logging.getLogger("flowchat").setLevel(level)
    logging.captureWarnings(True)
    sys.excepthook = lambda kind, error, trace: log.critical("ended by a bug", exc_info=error)
    threading.excepthook = lambda told: log.critical("a thread was ended by a bug", exc_info=told.exc_value)
