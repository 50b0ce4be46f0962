"""Which page stands for another one: where it has moved, its canonical form, or its translation."""

from flowchat.domain import Document
from flowchat.ingest.locale import better_locale
from flowchat.ingest.scope import Scope


def page_elsewhere(document: Document, url: str, base: str, scope: Scope, locale: str) -> tuple[str, str] | None:
    """(reason, address) of the page that stands for this one in a source of that locale."""
    refresh = scope.wanted(document.refresh, base) if document.refresh else None
    if refresh is not None and refresh != url:
        return "redirected", refresh
    canonical = scope.wanted(document.canonical, base) if document.canonical else None
    if canonical is not None and canonical != url:
        return "canonical_elsewhere", canonical
    alternates = [(tag, scope.on_site(link, base) or "") for tag, link in document.alternates]
    own = next((tag for tag, address in alternates if address == url and tag != "x-default"), document.language)
    translated = better_locale(locale, own, alternates)
    if translated and translated != url and scope.wants(translated):
        return "other_locale", translated
    return None
