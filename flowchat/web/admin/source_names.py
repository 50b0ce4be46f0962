"""What sources are called where one is chosen or named: by their name, which people know, not by their slug."""

from collections import Counter
from dataclasses import dataclass

from flowchat.services import sources
from flowchat.web.admin import shell
from flowchat.web.current import appliance


@dataclass(frozen=True, slots=True)
class SourceName:
    """`title` is the name, followed by the slug where another source has the same name."""

    name: str
    slug: str
    title: str


async def source_names() -> dict[str, SourceName]:
    """{id: …} of the tenant's sources that answer, oldest first."""
    answering = await sources.list_answering(appliance(), shell.actor())
    known = Counter(source.name for source in answering)
    return {
        source.id: SourceName(
            source.name, source.slug, source.name if known[source.name] == 1 else f"{source.name} ({source.slug})"
        )
        for source in answering
    }


def titles(names: dict[str, SourceName]) -> dict[str, str]:
    """{id: title}."""
    return {ident: source.title for ident, source in names.items()}
