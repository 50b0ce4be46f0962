"""Can the appliance answer?"""

from flowchat.services.context import Appliance
from flowchat.store import tenants


def warnings(app: Appliance) -> list[str]:
    """What makes answers worse than they could be. For everybody to see: the log has the details."""
    return ["The generator is not working: answers only quote."] if app.engines.problem else []


async def problems(app: Appliance) -> list[str]:
    """Why no question should be sent here now; empty if all is well. (Its models were loaded before it existed.)"""
    if app.stopping.is_set():
        return ["stopping"]
    if await tenants.first(app.db) is None:
        return ["the database has no tenant"]
    return []
