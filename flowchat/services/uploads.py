"""Files that come with a request."""

from typing import Annotated

from msgspec import Meta, Struct

MAX_FILES = 20


class UploadedFile(Struct, frozen=True, kw_only=True):
    """One file, as its sender named it."""

    name: str
    content_type: str
    content: bytes


class Upload(Struct, frozen=True, kw_only=True):
    """A request that comes as a form with files, multipart/form-data. Text fields stand beside `file`."""

    file: Annotated[tuple[UploadedFile, ...], Meta(min_length=1, max_length=MAX_FILES, description="The files.")]
