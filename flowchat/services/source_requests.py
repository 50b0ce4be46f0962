"""What may be said about a source when it is made or changed."""

from typing import Annotated, TypeAlias

from msgspec import UNSET, Meta, Struct, UnsetType

from flowchat.domain import Schedule
from flowchat.services.fields import GLOB_PATTERN, HttpUrl, Locale, Slug

MAX_PAGES = 1_000_000
MAX_PATTERNS = 100

_END = r"$(?!\n)"
_TOKEN = r"^[A-Za-z0-9!#$%&'*+.^_`|~-]+" + _END  # RFC 9110, section 5.6.2
_FIELD_VALUE = "^[!-~](?:[ -~]*[!-~])?" + _END
_USERNAME = r"^[^:\x00-\x1f\x7f]*" + _END  # RFC 7617, section 2
_PASSWORD = r"^[^\x00-\x1f\x7f]*" + _END

Name = Annotated[str, Meta(max_length=200, description="What people call the source.", examples=["Help centre"])]
Patterns = Annotated[
    tuple[Annotated[str, Meta(max_length=500, pattern=GLOB_PATTERN)], ...],
    Meta(
        max_length=MAX_PATTERNS,
        description="Globs over the path of a page's address, from its first slash on: * stands for any characters, "
        "slashes too.",
        examples=[["/docs/*"]],
    ),
]
MaxPages = Annotated[int, Meta(ge=1, le=MAX_PAGES, description="The most pages to index.", examples=[500])]
MaxDepth = Annotated[int, Meta(ge=0, le=1000, description="The most links from the start; 0: its pages alone.")]


class BasicAuth(Struct, frozen=True, kw_only=True, tag_field="type", tag="basic", forbid_unknown_fields=True):
    """A sign-in by HTTP basic authentication."""

    username: Annotated[str, Meta(max_length=200, pattern=_USERNAME)]
    password: Annotated[str, Meta(max_length=1000, pattern=_PASSWORD)]


class HeaderAuth(Struct, frozen=True, kw_only=True, tag_field="type", tag="header", forbid_unknown_fields=True):
    """A sign-in by a header that every request carries."""

    name: Annotated[str, Meta(max_length=100, pattern=_TOKEN, examples=["Authorization"])]
    value: Annotated[str, Meta(max_length=4000, pattern=_FIELD_VALUE, examples=["Bearer TOKEN"])]


Auth: TypeAlias = BasicAuth | HeaderAuth


class NewSource(Struct, frozen=True, forbid_unknown_fields=True):
    """A site to be crawled, by its `url` or its `sitemap`; with neither, a source of uploaded documents.

    Without a slug it gets one from its host or its name; without a name, the host's. `auth` is stored encrypted, never
    shown again, and sent to the source's own origin alone.
    """

    url: Annotated[HttpUrl, Meta(description="Where the crawl begins; it stays in this folder.")] | None = None
    slug: Slug | None = None
    name: Name | None = None
    sitemap: Annotated[HttpUrl, Meta(description="The crawl begins at the pages that this sitemap names.")] | None = (
        None
    )
    include: Patterns = ()
    exclude: Patterns = ()
    max_pages: MaxPages | None = None
    max_depth: MaxDepth | None = None
    schedule: Schedule | None = None
    locale: Locale = "en"
    auth: Auth | None = None


class SourceChange(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is left out stays as it is. The next crawl goes by it; what is indexed stays until then.

    A `url` of another origin drops the stored `auth`, unless a new one comes with it.
    """

    url: HttpUrl | UnsetType = UNSET
    slug: Slug | UnsetType = UNSET
    name: Name | UnsetType = UNSET
    sitemap: HttpUrl | UnsetType | None = UNSET
    include: Patterns | UnsetType = UNSET
    exclude: Patterns | UnsetType = UNSET
    max_pages: MaxPages | UnsetType | None = UNSET
    max_depth: MaxDepth | UnsetType | None = UNSET
    schedule: Schedule | UnsetType | None = UNSET
    locale: Locale | UnsetType = UNSET
    auth: Auth | UnsetType | None = UNSET


class RecrawlRequest(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`max_pages` and `accept_removals` are for this crawl alone."""

    max_pages: MaxPages | None = None
    accept_removals: Annotated[
        bool, Meta(description="Whether this crawl may remove more than half of the pages that are indexed.")
    ] = False
