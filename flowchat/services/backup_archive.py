"""A backup is one zip file: the database (`flowchat.db.zst`), the revocation log and a manifest that tells of both.

The manifest is written last, so that a file that was cut off has none.
"""

import hashlib
import os
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO
from zlib import error as ZlibError

import msgspec
import zstandard

from flowchat.errors import FlowChatError

DATABASE, REVOKED, MANIFEST = "flowchat.db.zst", "revoked.log", "manifest.json"
FORMAT = 1
LEVEL = 3
PIECE_BYTES = 1 << 20
MAX_MANIFEST_BYTES = 1_000_000

Note = Callable[[int, int], None]  # is told bytes done and in all, and may raise to end it


class Part(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Of a part as it is restored: its size and its SHA-256 in hex."""

    bytes: int
    sha256: str


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """What a backup says about itself.

    `created_at` is the moment of the state that it has, `schema` the number of its last migration, `rows` how many some
    tables have. `secret_key` tells one `secret.key` from another, and is '' where there was none.
    """

    format: int
    created_at: str
    flowchat: str
    schema: int
    secret_key: str
    database: Part
    revoked: Part
    rows: dict[str, int]


def write(
    target: Path, database: Path, revoked: bytes, note: Note, manifest_of: Callable[[Part, Part], Manifest]
) -> Manifest:
    """Write the archive and get it onto the disk. `manifest_of(database, revoked)` makes the manifest in the end."""
    descriptor = os.open(target, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w+b") as file:
        with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
            with archive.open(DATABASE, "w", force_zip64=True) as member:
                packed = _pack(database, member, note)
            archive.writestr(REVOKED, revoked)
            manifest = manifest_of(packed, Part(len(revoked), hashlib.sha256(revoked).hexdigest()))
            archive.writestr(MANIFEST, msgspec.json.format(msgspec.json.encode(manifest)))
        file.flush()
        os.fsync(descriptor)
    return manifest


def _pack(database: Path, member: IO[bytes], note: Note) -> Part:
    total, digest, done = database.stat().st_size, hashlib.sha256(), 0
    compressor = zstandard.ZstdCompressor(level=LEVEL, write_checksum=True)
    with database.open("rb") as file, compressor.stream_writer(member, closefd=False) as writer:
        while piece := file.read(PIECE_BYTES):
            digest.update(piece)
            writer.write(piece)
            done += len(piece)
            note(done, total)
    return Part(done, digest.hexdigest())


def read_manifest(path: Path) -> Manifest:
    """Raises FlowChatError `bad_backup` for what is no backup, or is damaged."""
    try:
        with zipfile.ZipFile(path) as archive:
            if archive.getinfo(MANIFEST).file_size > MAX_MANIFEST_BYTES:
                raise _bad(path, "its manifest is too long")
            text = archive.read(MANIFEST)
        manifest = msgspec.json.decode(text, type=Manifest)
    except FileNotFoundError:
        raise FlowChatError("not_found", f"There is no backup at {path}.", status=404) from None
    except (zipfile.BadZipFile, ZlibError, KeyError, EOFError, msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise _bad(path, str(error)) from None
    if manifest.format != FORMAT:
        raise _bad(path, f"it is of format {manifest.format}, and this FlowChat reads format {FORMAT}")
    return manifest


def verify(path: Path, manifest: Manifest) -> None:
    """Read all of it. Raises FlowChatError `bad_backup`."""
    for _ in pieces(path, manifest):
        pass
    revoked(path, manifest)


def unpack(path: Path, manifest: Manifest, target: Path) -> None:
    """Make its database at `target`, and get it onto the disk. Raises FlowChatError `bad_backup`."""
    descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        for piece in pieces(path, manifest):
            file.write(piece)
        file.flush()
        os.fsync(descriptor)


def pieces(path: Path, manifest: Manifest) -> Iterator[bytes]:
    """Its database, piece by piece. Raises FlowChatError `bad_backup` where it is not what the manifest says."""
    digest, done = hashlib.sha256(), 0
    try:
        with (
            zipfile.ZipFile(path) as archive,
            archive.open(DATABASE) as member,
            zstandard.ZstdDecompressor().stream_reader(member) as reader,
        ):
            # It never makes more than the manifest says.
            while done <= manifest.database.bytes and (piece := reader.read(PIECE_BYTES)):
                digest.update(piece)
                done += len(piece)
                yield piece
    except (zipfile.BadZipFile, zstandard.ZstdError, KeyError, EOFError) as error:
        raise _bad(path, str(error)) from None
    if Part(done, digest.hexdigest()) != manifest.database:
        raise _bad(path, "its database is not what its manifest says")


def revoked(path: Path, manifest: Manifest) -> bytes:
    """Its revocation log. Raises FlowChatError `bad_backup`."""
    try:
        with zipfile.ZipFile(path) as archive:
            if archive.getinfo(REVOKED).file_size != manifest.revoked.bytes:
                raise _bad(path, "its revocation log is not what its manifest says")
            text = archive.read(REVOKED)
    except (zipfile.BadZipFile, ZlibError, KeyError, EOFError) as error:
        raise _bad(path, str(error)) from None
    if Part(len(text), hashlib.sha256(text).hexdigest()) != manifest.revoked:
        raise _bad(path, "its revocation log is not what its manifest says")
    return text


def _bad(path: Path, why: str) -> FlowChatError:
    return FlowChatError("bad_backup", f"{path.name} is no backup that could be restored: {why}. Take another one.")
