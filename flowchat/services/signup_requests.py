"""What may be said when somebody signs up, and confirms it."""

from typing import Annotated

import msgspec
from msgspec import UNSET, UnsetType

from flowchat.services.fields import Email, HttpUrl
from flowchat.services.passwords import MAX_CHARS, MIN_CHARS
from flowchat.services.tenants import Name

Password = Annotated[
    str,
    msgspec.Meta(
        min_length=MIN_CHARS,
        max_length=MAX_CHARS,
        description="The owner's, for the admin.",
        examples=["a few unrelated words"],
    ),
]
Site = Annotated[HttpUrl, msgspec.Meta(description="The site the chat is for: its pages may use the widget key.")]
Code = Annotated[str, msgspec.Meta(min_length=1, max_length=100, description="The code of an invite's link.")]
Token = Annotated[
    str, msgspec.Meta(min_length=1, max_length=1000, description="What follows /signup/confirm/ in the link.")
]


class NewSignUp(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Somebody who wants an account. `name` is what their company or site is called."""

    email: Email
    name: Name
    site: Site | None = None
    password: Password | None = None
    invite: Code | None = None


class Confirmation(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Without `password`, the one of the sign-up is used; null: none, so that its owner chooses one by a link."""

    token: Token
    password: Password | UnsetType | None = UNSET
