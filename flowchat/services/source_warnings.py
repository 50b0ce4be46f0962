"""What the operator of a source should know about it."""

from dataclasses import replace

from flowchat.domain import Source, SourceWarning
from flowchat.engines.generators import EXTRACTIVE
from flowchat.engines.registry import load_registry
from flowchat.settings import Settings


def warned(settings: Settings, source: Source) -> Source:
    """The source with its warnings: `language` where most of its pages are in one that a model is not made for.

    Quotes need no verifier, so its language matters only where a generator writes.
    """
    names = [settings.embedder, settings.reranker]
    if settings.generator != EXTRACTIVE:
        names.append(settings.verifier)
    specs = [load_registry(settings.models_path).get(name) for name in names]
    unfit = [spec for spec in specs if spec and spec.language and spec.language != source.language]
    if not source.language or not unfit:
        return source
    made_for = " and ".join(sorted({"English" if spec.language == "en" else f"'{spec.language}'" for spec in unfit}))
    message = (
        f"Most pages that state a language are not in {made_for}, but for instance in '{source.language}', and "
        f"{' and '.join(spec.name for spec in unfit)} are made for {made_for}: expect fewer and worse answers. "
        "Choose multilingual models: see /docs/models."
    )
    return replace(source, warnings=(SourceWarning("language", message),))
