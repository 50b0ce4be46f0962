"""What FlowChat logs while a test runs, as it is written: both formats, everything from DEBUG on."""

import json
import logging
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from io import StringIO
from typing import Any

from flowchat import logs


class Log:
    """What was written so far."""

    def __init__(self) -> None:
        self.streams: dict[logs.Format, StringIO] = {"text": StringIO(), "json": StringIO()}

    @property
    def text(self) -> str:
        return self.streams["text"].getvalue()

    @property
    def entries(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.streams["json"].getvalue().splitlines()]

    @property
    def whole(self) -> str:
        return self.text + self.streams["json"].getvalue()


@contextmanager
def reading_log(secrets: Iterable[str] = ()) -> Iterator[Log]:
    log, root, ours = Log(), logging.getLogger(), logging.getLogger("flowchat")
    handlers = [logs.handler(name, secrets, stream) for name, stream in log.streams.items()]
    before = ours.level
    ours.setLevel(logging.DEBUG)
    for handler in handlers:
        root.addHandler(handler)
    try:
        yield log
    finally:
        for handler in handlers:
            root.removeHandler(handler)
        ours.setLevel(before)
