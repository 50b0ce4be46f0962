"""Signing up in a browser: the form, what comes next, the page behind the link, and the new account with its keys.

Everything works without JavaScript. Opening a link changes nothing, because mail programs open links, too.
"""

from urllib.parse import urlencode

from quart import Blueprint, Response, redirect, render_template, request
from werkzeug import Response as Redirection

from flowchat.billing import SignUp
from flowchat.errors import FlowChatError, Forbidden
from flowchat.services import accounts, signups, validate
from flowchat.services.new_accounts import NewAccount
from flowchat.services.signup_requests import Confirmation, NewSignUp
from flowchat.services.signups import Offer
from flowchat.web import auth, form_times
from flowchat.web.admin import embedding, guard
from flowchat.web.admin.forms import Form
from flowchat.web.admin.sign_in import remember
from flowchat.web.api import finish
from flowchat.web.current import appliance
from flowchat.web.plan_terms import Terms, terms

blueprint = Blueprint("signup", __name__)

TRAP = "homepage"  # a field that people don't see, and so leave empty
SHOWN_AT = "shown_at"
_NEXT = "/signup/check-your-mail"
_OF_LINKS = ("link_invalid", "has_account", "signup_closed")


@blueprint.app_context_processor
def offered() -> dict[str, bool]:
    """Whether pages link to signing up."""
    return {"can_sign_up": appliance().settings.signup != "closed"}


@blueprint.after_request
async def keep_to_oneself(response: Response) -> Response:
    """Links and keys stay on this page: not in a cache, nor in the address that another site is told."""
    response.headers["Cache-Control"] = "no-store"
    response.headers["Referrer-Policy"] = "same-origin"
    return response


@blueprint.get("/signup")
async def show() -> Response:
    code = request.args.get("invite", "").strip()
    offer = await signups.offer(appliance(), code)
    form = Form({"invite": code, "email": offer.invite.email if offer.invite else ""})
    if code and not offer.invite:
        form.error = validate.invalid("invite", signups.INVITE_INVALID)
    return await _show_form(form, offer)


async def _show_form(form: Form, offer: Offer, status: int = 200) -> Response:
    page = await render_template(
        "signup/new.html",
        form=form,
        offer=offer,
        begins_with=_terms_of_start(offer),
        plans=[terms(plan, offer.currency) for plan in offer.plans],
        shown_at=form_times.stamp(appliance()),
        trap=TRAP,
    )
    response = Response(page, status, content_type="text/html; charset=utf-8")
    if form.error is not None and form.error.retry_after_s is not None:
        response.headers["Retry-After"] = str(form.error.retry_after_s)
    return response


def _terms_of_start(offer: Offer) -> Terms | None:
    return terms(offer.begins_with, offer.currency) if offer.begins_with is not None else None


@blueprint.post("/signup")
async def sign_up() -> Response | Redirection:
    guard.check_origin()
    browser = auth.anyone()
    form = await Form.entered()
    if form.value(TRAP):
        return redirect(_NEXT, 303)  # as if it had been taken: whoever fills it in is told nothing
    with form:
        form_times.check(appliance(), form.value(SHOWN_AT))
        made = await finish(_create(form, browser))
        return await _show_account(made, browser) if isinstance(made, NewAccount) else redirect(_NEXT, 303)
    status = 429 if form.error is not None and form.error.status == 429 else 422
    return await _show_form(form, await signups.offer(appliance(), form.value("invite")), status)


async def _create(form: Form, browser: accounts.Browser) -> SignUp | NewAccount:
    """Raises FlowChatError; what is wrong with an invite stands at its field."""
    site = form.value("site").strip()
    address = {"site": site if "://" in site else f"https://{site}"} if site else {}
    new = form.to(NewSignUp, optional=("site", "password", "invite"), without=(TRAP, SHOWN_AT), **address)
    try:
        return await signups.create(appliance(), browser, new)
    except Forbidden as error:
        if error.code != "invite_invalid":
            raise
        raise validate.invalid("invite", error.message) from None


@blueprint.get("/signup/check-your-mail")
async def check_your_mail() -> str:
    return await render_template("signup/check_your_mail.html", offer=await signups.offer(appliance()))


@blueprint.get("/signup/confirm/<token>")
async def confirm_show(token: str) -> Response:
    try:
        return await _show_confirmation(token, Form())
    except FlowChatError as error:
        return await _show_dead_link(error)


@blueprint.post("/signup/confirm/<token>")
async def confirm(token: str) -> Response:
    guard.check_origin()
    browser = auth.anyone()
    try:
        return await _confirm(token, browser, await Form.entered())
    except FlowChatError as error:
        return await _show_dead_link(error)


async def _confirm(token: str, browser: accounts.Browser, form: Form) -> Response:
    """What is entered here counts, and no password of the sign-up: who has the link need not be who signed up."""
    with form:
        asked = form.to(Confirmation, nullable=["password"], token=token)
        return await _show_account(await finish(signups.confirm(appliance(), browser, asked)), browser)
    if form.error is not None and form.error.param != "password":
        raise form.error
    return await _show_confirmation(token, form, 422)


async def _show_confirmation(token: str, form: Form, status: int = 200) -> Response:
    signup = await signups.read_link(appliance(), token)
    begins_with = _terms_of_start(await signups.offer(appliance()))
    page = await render_template("signup/confirm.html", form=form, signup=signup, begins_with=begins_with)
    return Response(page, status, content_type="text/html; charset=utf-8")


async def _show_dead_link(error: FlowChatError) -> Response:
    """Raises what says nothing about the link."""
    if error.code not in _OF_LINKS:
        raise error
    page = await render_template("signup/dead_link.html", error=error)
    return Response(page, error.status, content_type="text/html; charset=utf-8")


async def _show_account(made: NewAccount, browser: accounts.Browser) -> Response:
    """With its keys, this once; signed in already, where a password was chosen."""
    app = appliance()
    token = await accounts.sign_in_first(app, made.user.id, browser) if made.user.has_password else ""
    page = await render_template(
        "signup/made.html",
        made=made,
        is_signed_in=bool(token),
        lines=embedding.lines(app.settings.origin, made.widget_secret, None),
        sends_email=bool(app.settings.smtp_url),
        origin=app.settings.origin,
        to_site=urlencode({"url": made.site}) if made.site else "",
    )
    response = Response(page, content_type="text/html; charset=utf-8")
    if token:
        remember(response, token)
    return response
