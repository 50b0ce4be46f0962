"""A clock that stands still until a test moves it: for ends of days, months, trials and years."""

from datetime import datetime, timedelta

import pytest

from flowchat import domain


class Clock:
    """What `domain.now` tells in every module, however it was imported."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, moment: str) -> None:
        """`moment`: RFC 3339, UTC."""
        self.set(moment)
        monkeypatch.setattr(domain, "clock", lambda: self._moment)

    def set(self, moment: str) -> None:
        self._moment = datetime.fromisoformat(moment)

    def go_on(self, **span: float) -> None:
        """By `days=1`, `milliseconds=1` and the like."""
        self._moment += timedelta(**span)
