"""Stripe's times are seconds since 1970."""

from datetime import UTC, datetime


def moment_of(unix: int) -> str:
    """RFC 3339, UTC, as all times of FlowChat are."""
    return datetime.fromtimestamp(unix, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def unix_of(moment: str) -> int:
    return int(datetime.fromisoformat(moment).timestamp())
