"""Sign-ups, invites, and the accounts that come of them."""

from dataclasses import dataclass, fields
from typing import Annotated, Any, Self

from msgspec import Meta

from flowchat.billing import EmailStatus, Invite, InviteStatus, SignUp, SignUpStatus
from flowchat.domain import now
from flowchat.services.invites import CreatedInvite
from flowchat.services.new_accounts import NewAccount
from flowchat.services.signups import SignUpLink
from flowchat.services.views.tenants import TenantView
from flowchat.services.views.users import UserView


@dataclass(frozen=True, slots=True, kw_only=True)
class SignUpReceiptView:
    """What whoever asks for an account is told, whether they have one already or not."""

    id: str
    status: Annotated[str, Meta(description="`confirmation_sent` or `waiting_for_operator`.")]

    @classmethod
    def of(cls, signup: SignUp) -> Self:
        return cls(id=signup.id, status="confirmation_sent" if signup.email_id else "waiting_for_operator")


@dataclass(frozen=True, slots=True, kw_only=True)
class SignUpView:
    """Somebody who wants an account. `tenant_id` is theirs once they have confirmed it."""

    id: str
    email: str
    name: str
    site: str
    status: SignUpStatus
    email_status: Annotated[EmailStatus, Meta(description="What became of the e-mail; `none`: there was none.")]
    email_error: str | None
    tenant_id: str | None
    created_at: str
    confirmed_at: str | None

    @classmethod
    def of(cls, signup: SignUp) -> Self:
        return cls(**{field.name: getattr(signup, field.name) for field in fields(cls)})


@dataclass(frozen=True, slots=True, kw_only=True)
class SignUpLinkView:
    """The link by which somebody confirms their sign-up, once, until `expires_at`."""

    url: str
    expires_at: str

    @classmethod
    def of(cls, link: SignUpLink) -> Self:
        return cls(url=link.url, expires_at=link.expires_at)


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialView:
    """The plan that an account begins on, by its slug; `ends_at` null: it does not end."""

    plan: str
    ends_at: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class NewKeyView:
    """A key with its secret, which is shown only this once."""

    id: str
    key: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NewAccountView:
    """A new tenant with its owner, trial and keys. `sign_in_url` is for the owner alone: it may choose a password."""

    tenant: TenantView
    user: UserView
    trial: TrialView
    widget_key: NewKeyView
    admin_key: NewKeyView
    sign_in_url: str

    @classmethod
    def of(cls, made: NewAccount) -> Self:
        return cls(
            tenant=TenantView.of(made.tenant),
            user=UserView.of(made.user),
            trial=TrialView(plan=made.plan.slug, ends_at=made.trial_ends_at),
            widget_key=NewKeyView(id=made.widget_key.id, key=made.widget_secret),
            admin_key=NewKeyView(id=made.admin_key.id, key=made.admin_secret),
            sign_in_url=made.sign_in_url,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class InviteView:
    """Leave to sign up, once. `tenant_id` is what was made by it."""

    id: str
    email: Annotated[str | None, Meta(description="null: whoever has the link.")]
    note: str
    plan: Annotated[str | None, Meta(description="The slug of a plan; null: the trial plan.")]
    status: InviteStatus
    expires_at: str
    tenant_id: str | None
    created_at: str
    used_at: str | None

    @classmethod
    def of(cls, invite: Invite) -> Self:
        return cls(**_fields(invite))


@dataclass(frozen=True, slots=True, kw_only=True)
class CreatedInviteView(InviteView):
    """A new invite with its link, shown only this once. `is_sent`: it is on its way by e-mail, too."""

    url: str
    is_sent: bool

    @classmethod
    def of(cls, created: CreatedInvite) -> Self:  # type: ignore[override]
        return cls(**_fields(created.invite), url=created.url, is_sent=created.is_sent)


def _fields(invite: Invite) -> dict[str, Any]:
    stored = {name: getattr(invite, name) for name in InviteView.__dataclass_fields__ if name != "status"}
    return {**stored, "email": invite.email or None, "status": invite.status_at(now())}
