"""Who may do what."""

from flowchat.domain import Actor
from flowchat.errors import Forbidden

SCOPES = ("read", "write", "billing", "operator")


def require(actor: Actor, scope: str) -> None:
    """Raises Forbidden `scope_missing` if the actor's credential is not good for this."""
    if scope not in actor.scopes:
        raise Forbidden("scope_missing", f"This needs the scope '{scope}', which {actor.name} doesn't have.")
