"""The models of this machine."""

from dataclasses import dataclass

from flowchat.domain import Actor
from flowchat.engines.generators import EXTRACTIVE
from flowchat.engines.registry import ModelSpec, find_model, installed, load_registry
from flowchat.services.context import Context
from flowchat.services.lists import Listed
from flowchat.services.operations import operation
from flowchat.settings import Settings


@dataclass(frozen=True, slots=True)
class ModelState:
    """A known model, and whether it is on this machine and named by the settings."""

    spec: ModelSpec
    is_installed: bool
    is_used: bool


@operation("models.list", "operator")
async def list_all(app: Context, actor: Actor) -> Listed[ModelState]:
    """List the models that FlowChat knows, all on one page."""
    return Listed(states(app.settings), False)


def states(settings: Settings) -> list[ModelState]:
    """All models that FlowChat knows."""
    used = (settings.embedder, settings.reranker, settings.verifier, settings.generator)
    return [
        ModelState(spec, installed(spec, settings.models_path) is not None, spec.name in used)
        for spec in load_registry(settings.models_path).values()
    ]


def needed(settings: Settings) -> list[ModelSpec]:
    """The models that the settings name. Raises ModelError for an unknown one."""
    path = settings.models_path
    specs = [
        find_model(settings.embedder, "embedder", path),
        find_model(settings.reranker, "reranker", path),
        find_model(settings.verifier, "verifier", path),
    ]
    if settings.generator != EXTRACTIVE and not settings.generator.startswith("openai:"):
        specs.append(find_model(settings.generator, "generator", path))
    return specs
