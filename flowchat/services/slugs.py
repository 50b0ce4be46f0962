"""Slugs of sources and tenants that were given none."""

import re
from urllib.parse import urlsplit


def default_slug(url: str | None, name: str) -> str:
    """From the site's host, or without an address from the name. It may be taken."""
    if url is None:
        return _slugged(name) or "documents"
    return _slugged(urlsplit(url).netloc.removeprefix("www.")) or "source"


def tenant_slug(name: str) -> str:
    """From what it is called. It may be taken."""
    return _slugged(name) or "tenant"


def _slugged(text: str) -> str:
    return re.sub("[^a-z0-9]+", "-", text.lower())[:60].strip("-")


def free_slug(slug: str, taken: set[str]) -> str:
    """The slug, with a number where it is taken."""
    number, free = 1, slug
    while free in taken:
        number += 1
        free = f"{slug}-{number}"
    return free
