"""Makes all that a sign-up leads to, in one transaction: tenant, owner, subscription, widget key and admin key."""

from dataclasses import dataclass, replace
from ipaddress import ip_address

from flowchat.billing import Plan, Subscriber, Subscription, standing_of, subscribe, with_plan
from flowchat.domain import Actor, Key, Tenant, User, new_id, now
from flowchat.net import urls
from flowchat.services import keys, letters, links
from flowchat.services.accounts import Browser
from flowchat.services.context import Context
from flowchat.services.key_requests import TENANT_SCOPES, NewAdminKey, NewWidgetKey
from flowchat.services.sessions import actor_of
from flowchat.services.slugs import free_slug, tenant_slug
from flowchat.store import accounts, audit_log, emails, subscriptions, tenants, users
from flowchat.store.database import Connection


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What an account is made of. Without a password its owner gets a link to choose one."""

    email: str
    name: str
    site: str = ""
    password_hash: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NewAccount:
    """A new tenant, and what is shown only once: its keys' secrets, and the link by which its owner signs in."""

    tenant: Subscriber
    user: User
    site: str
    plan: Plan
    trial_ends_at: str | None
    widget_key: Key
    widget_secret: str
    admin_key: Key
    admin_secret: str
    sign_in_url: str


def make(conn: Connection, app: Context, wanted: Wanted, plan: Plan, browser: Browser, operation: str) -> NewAccount:
    """`operation` is what the audit logs of the tenant and of the first tenant say was done."""
    slug = tenant_slug(wanted.name)
    tenant = tenants.insert(conn, free_slug(slug, tenants.slugs_like(conn, slug)), wanted.name)
    user = _insert_owner(conn, tenant, wanted)
    actor = actor_of(user, browser.address)
    subscription = _subscribe(conn, tenant, plan, user)
    is_test = not app.settings.signup_live_keys
    new_widget_key = NewWidgetKey(name="Website", origins=origins_of(wanted.site), test=is_test)
    widget_key, widget_secret = keys.make(conn, actor, new_widget_key)
    admin_key, admin_secret = keys.make(conn, actor, NewAdminKey(name="First admin key", scopes=TENANT_SCOPES))
    _audit(conn, actor, operation, tenant, plan)
    return NewAccount(
        tenant=with_plan(tenant, plan, subscription, standing_of(subscription, now(), app.settings.past_due_days)),
        user=user,
        site=wanted.site,
        plan=plan,
        trial_ends_at=subscription.trial_ends_at,
        widget_key=widget_key,
        widget_secret=widget_secret,
        admin_key=admin_key,
        admin_secret=admin_secret,
        sign_in_url=_sign_in_url(conn, app, user),
    )


def _insert_owner(conn: Connection, tenant: Tenant, wanted: Wanted) -> User:
    has_password = wanted.password_hash is not None
    user = User(new_id("usr"), tenant.id, wanted.email, "", "owner", now(), has_password=has_password)
    users.insert(conn, user)
    if wanted.password_hash is not None:
        accounts.set_password(conn, user.id, wanted.password_hash)
    return user


def _subscribe(conn: Connection, tenant: Tenant, plan: Plan, owner: User) -> Subscription:
    subscription = replace(subscribe(tenant.id, plan, None, now()), email=owner.email)
    subscriptions.put(conn, subscription)
    return subscription


def origins_of(site: str) -> tuple[str, ...]:
    """Of a site's address: its origin, and the same with or without www."""
    parsed = urls.parse(site) if site else None
    if parsed is None:
        return ()
    host, port = parsed.hostname, f":{parsed.port}" if parsed.port else ""
    hosts = [host]
    if host.startswith("www."):
        hosts.append(host.removeprefix("www."))
    elif "." in host and not _is_address(host):
        hosts.append(f"www.{host}")
    return tuple(f"{parsed.protocol}//{each}{port}" for each in hosts)


def _is_address(host: str) -> bool:
    try:
        ip_address(host.strip("[]"))
    except ValueError:
        return False
    return True


def _audit(conn: Connection, actor: Actor, operation: str, tenant: Tenant, plan: Plan) -> None:
    audit_log.insert(conn, actor, operation, tenant.id, slug=tenant.slug, plan=plan.slug)
    if (first := tenants.first_now(conn)) is not None:
        system = Actor(first.id, "sign-up", frozenset())
        audit_log.insert(conn, system, operation, tenant.id, slug=tenant.slug, plan=plan.slug)


def _sign_in_url(conn: Connection, app: Context, owner: User) -> str:
    """Without a password, a link to choose one, which is also sent by e-mail: it is needed later."""
    origin = app.settings.origin
    account = accounts.find(conn, owner.id)
    if account is None or account.password_hash is not None:
        return f"{origin}/admin/sign-in"
    url = links.make(app, "invitation", links.Link(owner.id, links.state_of(account)), origin)
    if app.settings.smtp_url:
        letter = letters.welcome(origin, url)
        emails.insert(conn, owner.email, letter.subject, letter.body, owner.tenant_id)
    return url
