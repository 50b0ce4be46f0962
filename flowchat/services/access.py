"""Who may do what."""

from flowchat.domain import Actor
from flowchat.errors import Forbidden

SCOPES = ("read", "write", "billing", "operator")


def require(actor: Actor, *scopes: str) -> None:
    """Raises Forbidden `scope_missing` if the actor's credential has none of these."""
    if actor.scopes.isdisjoint(scopes):
        wanted = " or ".join(f"'{scope}'" for scope in scopes)
        raise Forbidden("scope_missing", f"This needs the scope {wanted}, which {actor.name} doesn't have.")
