"""Days that pass in seconds: this process's calendar runs ahead of the real one."""

from datetime import UTC, datetime, timedelta

from flowchat import domain


def run_ahead(seconds: float) -> None:
    """From now on `domain.now` tells a time so much later than it is."""
    domain.clock = lambda: datetime.now(UTC) + timedelta(seconds=seconds)
