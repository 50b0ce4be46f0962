"""The file in which a tenant moves: a ZIP with `manifest.json` and `tenant.db`, an SQLite database of its rows.

Secrets in the database are encrypted with a passphrase (scrypt, Fernet), which also seals the manifest; that has the
database's SHA-256. So a file that was damaged, or changed by whoever doesn't know the passphrase, is not taken.
"""

import base64
import fcntl
import hashlib
import os
import secrets
import shutil
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import msgspec
from cryptography.fernet import Fernet, InvalidToken
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from flowchat.errors import Conflict, FlowChatError

FORMAT, FORMAT_VERSION = "flowchat-tenant", 1
MIN_PASSPHRASE_CHARS = 12
MANIFEST, DATABASE = "manifest.json", "tenant.db"
_LOCK_FILE, _FOLDER = "moving.lock", "moving"
_SCRYPT_N, _SCRYPT_R, _SCRYPT_P = 2**16, 8, 1  # 64 MB and a third of a second
_SALT_BYTES = 16
_MAX_MANIFEST_BYTES = 64 * 1024
_BLOCK_BYTES = 1024 * 1024
_COMPRESS_LEVEL = 1  # the tenant waits for it, and vectors hardly get smaller
_SPARE_BYTES = 100_000_000  # of disk space that a move leaves to others


class Moved(msgspec.Struct, frozen=True, kw_only=True):
    """The tenant that a file has."""

    id: str
    slug: str
    name: str


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """What a file says of itself. `seal` is made with the passphrase of all the rest."""

    format: str
    format_version: int
    flowchat: str
    schema: int
    exported_at: str
    is_copy: bool
    tenant: Moved
    embedder: str
    currency: str
    rows: dict[str, int]
    database_bytes: int
    database_sha256: str
    salt: str
    seal: str = ""

    def digest(self) -> bytes:
        return hashlib.sha256(msgspec.json.encode(msgspec.structs.replace(self, seal=""))).digest()


@dataclass(frozen=True, slots=True)
class Passphrase:
    """Encrypts the secrets of one file."""

    fernet: Fernet

    @classmethod
    def of(cls, text: str, salt: bytes) -> "Passphrase":
        kdf = Scrypt(salt=salt, length=32, n=_SCRYPT_N, r=_SCRYPT_R, p=_SCRYPT_P)
        return cls(Fernet(base64.urlsafe_b64encode(kdf.derive(text.encode()))))

    def seal(self, text: str) -> str:
        return self.fernet.encrypt(text.encode()).decode()

    def unseal(self, sealed: str) -> str:
        """Raises InvalidToken."""
        return self.fernet.decrypt(sealed.encode()).decode()


def new_salt() -> bytes:
    return secrets.token_bytes(_SALT_BYTES)


def salt_of(manifest: Manifest) -> bytes:
    """Raises FlowChatError `not_an_export`."""
    try:
        return base64.b64decode(manifest.salt, validate=True)
    except ValueError:
        raise damaged("its salt is none") from None


def check_length(passphrase: str) -> None:
    """Raises FlowChatError `passphrase_too_short`."""
    if len(passphrase) < MIN_PASSPHRASE_CHARS:
        raise FlowChatError(
            "passphrase_too_short",
            f"A passphrase has at least {MIN_PASSPHRASE_CHARS} characters. Whoever has the file can try as many as "
            "they like: choose a long one.",
            param="passphrase",
        )


@contextmanager
def workplace(data_dir: Path) -> Iterator[Path]:
    """An empty folder to work in, which is gone afterwards. Raises Conflict `move_running` while another move is on."""
    with (data_dir / _LOCK_FILE).open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            message = "Another tenant is being exported or imported on this machine. Try again when that is done."
            raise Conflict("move_running", message) from None
        folder = data_dir / _FOLDER
        shutil.rmtree(folder, ignore_errors=True)  # of a process that was killed
        folder.mkdir(mode=0o700)
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def clean_up(data_dir: Path) -> None:
    """At start: delete what a killed process left."""
    if (data_dir / _FOLDER).exists():
        with suppress(Conflict), workplace(data_dir):
            pass


def require_space(folder: Path, wanted_bytes: int) -> None:
    """Raises FlowChatError `disk_full` (507)."""
    free = shutil.disk_usage(folder).free
    if free < wanted_bytes + _SPARE_BYTES:
        raise FlowChatError(
            "disk_full",
            f"This needs {(wanted_bytes + _SPARE_BYTES) // 1_000_000} MB of free disk space at {folder}; there are "
            f"{free // 1_000_000} MB. Nothing was changed.",
            status=507,
        )


def write(path: Path, manifest: Manifest, database: Path, passphrase: Passphrase) -> Manifest:
    """Make the whole file at `path`, or none; returns what it says of itself. Only its owner may read it."""
    manifest = msgspec.structs.replace(
        manifest, database_bytes=database.stat().st_size, database_sha256=_sha256(database)
    )
    manifest = msgspec.structs.replace(manifest, seal=passphrase.seal(manifest.digest().hex()))
    partial = path.with_name(f"{path.name}.partial")
    try:
        descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=_COMPRESS_LEVEL) as archive:
                archive.writestr(MANIFEST, msgspec.json.format(msgspec.json.encode(manifest)))
                archive.write(database, DATABASE)
            file.flush()
            os.fsync(descriptor)
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
    return manifest


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def read_manifest(path: Path) -> Manifest:
    """Raises FlowChatError `not_an_export` and `export_too_new`."""
    try:
        with zipfile.ZipFile(path) as archive:
            info = archive.getinfo(MANIFEST)
            if info.file_size > _MAX_MANIFEST_BYTES:
                raise damaged("its manifest is too long")
            manifest = msgspec.json.decode(archive.read(info), type=Manifest)
    except FileNotFoundError:
        raise FlowChatError("no_file", f"There is no file {path}.", status=404) from None
    except (zipfile.BadZipFile, KeyError, EOFError, NotImplementedError, OSError, msgspec.MsgspecError) as error:
        raise damaged(str(error)) from None
    if manifest.format != FORMAT:
        raise damaged("it is something else")
    if manifest.format_version > FORMAT_VERSION:
        raise FlowChatError(
            "export_too_new",
            f"FlowChat {manifest.flowchat} wrote this file, in a newer format than this one knows. Update this "
            "FlowChat first.",
        )
    return manifest


def open_seal(manifest: Manifest, text: str) -> Passphrase:
    """The file's passphrase. Raises FlowChatError `wrong_passphrase`, and `not_an_export` for a changed manifest."""
    passphrase = Passphrase.of(text, salt_of(manifest))
    try:
        sealed = passphrase.unseal(manifest.seal)
    except InvalidToken:
        message = "This is not the passphrase that the file was exported with. Nothing was changed."
        raise FlowChatError("wrong_passphrase", message, param="passphrase") from None
    if sealed != manifest.digest().hex():
        raise damaged("its manifest was changed")
    return passphrase


def extract(path: Path, manifest: Manifest, target: Path) -> None:
    """The database, as it was exported. Raises FlowChatError `not_an_export` and `disk_full`."""
    require_space(target.parent, 2 * manifest.database_bytes)
    digest, left = hashlib.sha256(), manifest.database_bytes
    try:
        with zipfile.ZipFile(path) as archive, archive.open(DATABASE) as source, target.open("wb") as file:
            while block := source.read(_BLOCK_BYTES):
                left -= len(block)
                if left < 0:
                    raise damaged("its database is too long")
                digest.update(block)
                file.write(block)
    except (zipfile.BadZipFile, KeyError, EOFError, NotImplementedError, zlib.error) as error:
        raise damaged(str(error)) from None
    if left or digest.hexdigest() != manifest.database_sha256:
        raise damaged("its database is not the one that was exported")


def damaged(why: str) -> FlowChatError:
    return FlowChatError(
        "not_an_export",
        f"This is no whole file of `flowchat tenants export` ({why}). Copy it again, and compare its size. Nothing was "
        "changed.",
        param="file",
    )
