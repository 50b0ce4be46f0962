"""Can the appliance answer?"""

from flowchat.engines.protocols import ModelRole
from flowchat.services import disk
from flowchat.services.context import Appliance
from flowchat.store import tenants

_FAILING: dict[ModelRole, str] = {
    "embedder": "The embedder fails: answers are found by words only.",
    "reranker": "The reranker fails: questions are not answered.",
    "verifier": "The verifier fails: answers only quote.",
}


def warnings(app: Appliance) -> list[str]:
    """What does not work as it should. For everybody to see: the log has the details."""
    return of_models(app) + of_disk(app)


def of_models(app: Appliance) -> list[str]:
    """What makes answers worse than they could be."""
    generator = ["The generator is not working: answers only quote."] if app.engines.problem else []
    return generator + [_FAILING[role] for role in app.engines.faults.recent()]


def of_disk(app: Appliance) -> list[str]:
    return ["The disk is nearly full: nothing new is crawled or uploaded."] if disk.is_low(app.settings) else []


async def problems(app: Appliance) -> list[str]:
    """Why no question should be sent here now; empty if all is well. (Its models were loaded before it existed.)"""
    if app.stopping.is_set():
        return ["stopping"]
    if await tenants.first(app.db) is None:
        return ["the database has no tenant"]
    return []
