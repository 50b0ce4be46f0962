"""How a crawl signs in to a site. Stored encrypted; nobody is ever shown it again."""

import base64
from collections.abc import Mapping
from pathlib import Path

import msgspec

from flowchat.domain import Source
from flowchat.services import validate, vault
from flowchat.services.source_requests import Auth, BasicAuth

_OF_THE_CONNECTION = frozenset(
    "accept-encoding connection content-length host keep-alive proxy-connection te trailer transfer-encoding "
    "upgrade".split()
)


def seal(data_dir: Path, auth: Auth) -> str:
    """As it is stored: its type, and all of it encrypted. Raises FlowChatError for a header that can't be chosen."""
    if isinstance(auth, BasicAuth):
        kind = "basic"
    else:
        kind = "header"
        if auth.name.lower() in _OF_THE_CONNECTION:
            raise validate.invalid("auth", f"The header {auth.name} belongs to the connection. Give another one.")
    return f"{kind}:{vault.seal(data_dir, msgspec.json.encode(auth).decode())}"


def headers(data_dir: Path, source: Source) -> Mapping[str, str]:
    """What requests to the source's own origin carry. Raises FlowChatError `secret_key_changed`."""
    if source.auth is None:
        return {}
    sealed = source.auth.partition(":")[2]
    auth = msgspec.json.decode(vault.unseal(data_dir, sealed), type=Auth)
    if isinstance(auth, BasicAuth):
        pair = base64.b64encode(f"{auth.username}:{auth.password}".encode()).decode()
        return {"authorization": f"Basic {pair}"}
    return {auth.name.lower(): auth.value}
