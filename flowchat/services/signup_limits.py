"""How many may sign up: counted by what is stored, so that a restart forgets nothing."""

import math
from datetime import datetime

from flowchat.billing import SignUp
from flowchat.domain import now
from flowchat.errors import FlowChatError
from flowchat.store import signups
from flowchat.store.database import Connection

HOUR_S, DAY_S = 3600, 86_400
# So many sign-ups in so many seconds: of one e-mail address, from one network, of the whole appliance.
LIMITS = (("email", 3, HOUR_S), ("email", 6, DAY_S), ("address", 10, HOUR_S), ("", 200, HOUR_S))


def check(conn: Connection, new: SignUp) -> None:
    """Raises FlowChatError `rate_limited` (429), which tells people when to come back, and bots no number."""
    for by, most, span_s in LIMITS:
        value = getattr(new, by) if by else ""
        reached = signups.nth_newest_since(conn, now(-span_s), most, by, value)
        if reached is None:
            continue
        passed_s = (datetime.fromisoformat(now()) - datetime.fromisoformat(reached)).total_seconds()
        wait_s = max(1, math.ceil(span_s - passed_s))
        raise FlowChatError(
            "rate_limited",
            f"There are too many sign-ups at the moment. Try again in {math.ceil(wait_s / 60)} min.",
            status=429,
            retry_after_s=wait_s,
        )
