"""Rate limits of a request, and the headers that tell of them on every answer under /v1."""

from collections.abc import Sequence

from quart import Response, g

from flowchat.services.limits import Policy, headers
from flowchat.web.current import appliance


def count(policies: Sequence[Policy]) -> None:
    """One more request under these policies. Raises FlowChatError `rate_limited` (429)."""
    follow(policies)
    appliance().limiter.count(policies)


def follow(policies: Sequence[Policy]) -> None:
    """The answer's headers tell of these policies, which are counted elsewhere."""
    g.policies = policies


def add_headers(response: Response) -> None:
    response.headers.update(headers(appliance().limiter.quotas(g.get("policies", ()))))
