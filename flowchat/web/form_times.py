"""When a public form was shown: programs send one at once, or one that they have kept; people don't."""

import time

from itsdangerous import BadData, URLSafeTimedSerializer

from flowchat.errors import FlowChatError
from flowchat.services import vault
from flowchat.services.context import Appliance

LEAST_S = 2
MOST_S = 24 * 3600


def stamp(app: Appliance) -> str:
    """The present time, signed, for a hidden field."""
    return str(_serializer(app).dumps("shown"))


def check(app: Appliance, stamped: str) -> None:
    """Raises FlowChatError `send_again`, which people need only obey, and which tells programs nothing."""
    try:
        _, shown_at = _serializer(app).loads(stamped, max_age=MOST_S, return_timestamp=True)
    except BadData:
        raise _again() from None
    if time.time() - shown_at.timestamp() < LEAST_S:
        raise _again()


def _again() -> FlowChatError:
    return FlowChatError("send_again", "Look at what you have entered once more, and send it again.", status=422)


def _serializer(app: Appliance) -> URLSafeTimedSerializer:
    return URLSafeTimedSerializer(vault.derive(app.settings.data_dir, "public forms"))
