"""Secrets at rest: encrypted with a key from a file outside the database, so that a copy of that tells nothing."""

import base64
import hashlib
import hmac
import logging
import os
import secrets
from contextlib import suppress
from pathlib import Path

from cryptography.fernet import Fernet, InvalidToken

from flowchat import durable
from flowchat.errors import FlowChatError

SECRET_FILE = "secret.key"  # noqa: S105 (a file's name)
_SECRET_BYTES = 32

_log = logging.getLogger(__name__)


def derive(data_dir: Path, purpose: str) -> bytes:
    """32 bytes of that purpose's own, the same every time: HMAC-SHA256 of its name with the folder's secret."""
    return hmac.new(_secret(data_dir), purpose.encode(), hashlib.sha256).digest()


def seal(data_dir: Path, text: str) -> str:
    """Encrypted and signed (Fernet: AES-128-CBC, HMAC-SHA256)."""
    return _fernet(data_dir).encrypt(text.encode()).decode()


def unseal(data_dir: Path, sealed: str) -> str:
    """What `seal` was given. Raises FlowChatError if the folder's secret is another one now."""
    text = try_unseal(data_dir, sealed)
    if text is None:
        _log.error("a stored secret can't be read: %s is not what it was encrypted with", data_dir / SECRET_FILE)
        raise FlowChatError(
            "secret_key_changed",
            "A stored secret can't be read: the appliance's secret file is not the one it was encrypted with. "
            "Enter the secret again, or have the operator restore that file from a backup.",
            status=500,
        )
    return text


def try_unseal(data_dir: Path, sealed: str) -> str | None:
    """What `seal` was given; None if `sealed` is not of this folder's secret."""
    try:
        return _fernet(data_dir).decrypt(sealed.encode()).decode()
    except InvalidToken:
        return None


def _fernet(data_dir: Path) -> Fernet:
    return Fernet(base64.urlsafe_b64encode(derive(data_dir, "secrets at rest")))


def _secret(data_dir: Path) -> bytes:
    path = data_dir / SECRET_FILE
    try:
        return path.read_bytes()
    except FileNotFoundError:
        pass
    fresh = path.with_suffix(f".{os.getpid()}-{secrets.token_hex(4)}")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(secrets.token_bytes(_SECRET_BYTES))
        file.flush()
        os.fsync(descriptor)
    # Whoever comes second takes the first one's: a link, unlike a rename, does not replace.
    with suppress(FileExistsError):
        os.link(fresh, path)
    fresh.unlink()
    durable.sync(data_dir)
    return path.read_bytes()
