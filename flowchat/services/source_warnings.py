"""What the operator of a source should know about it."""

from dataclasses import replace

from flowchat.domain import Source, SourceWarning
from flowchat.engines.registry import load_registry
from flowchat.settings import Settings


def warned(settings: Settings, source: Source) -> Source:
    """The source with its warnings: `language` where most of its pages are in one that a model is not made for."""
    specs = [load_registry().get(name) for name in (settings.embedder, settings.reranker, settings.verifier)]
    unfit = [spec.name for spec in specs if spec and spec.language and spec.language != source.language]
    if not source.language or not unfit:
        return source
    message = (
        f"Most pages that state a language are not in English, but for instance in '{source.language}', and "
        f"{' and '.join(unfit)} are made for English: expect fewer and worse answers."
    )
    return replace(source, warnings=(SourceWarning("language", message),))
