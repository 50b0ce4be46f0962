"""Signing in, with a second factor where there is one, and out."""

from quart import Response, g, request

from flowchat.domain import Account
from flowchat.errors import FlowChatError
from flowchat.services import accounts, sessions
from flowchat.web import auth
from flowchat.web.admin import cookies, guard, shell
from flowchat.web.admin.blueprint import blueprint, own_account, public
from flowchat.web.admin.forms import Form
from flowchat.web.current import appliance

HOME = "/admin"
_DAY_S = 86_400
_HALF_WAY_S = 600
_TOLD = (400, 401, 429, 503)


@blueprint.get("/sign-in")
@public
async def sign_in_show() -> Response:
    if g.signed_in:
        return await shell.go(HOME)
    needs_set_up = await accounts.needs_set_up(appliance())
    return await shell.render("admin/sign_in.html", form=Form({"next": _next()}), needs_set_up=needs_set_up)


@blueprint.post("/sign-in")
@public
async def sign_in() -> Response:
    form = await Form.entered()
    try:
        found = await accounts.check_password(appliance(), form.value("email"), form.value("password"), browser())
        return await go_on(found, form.value("next"))
    except FlowChatError as error:
        return await _again("admin/sign_in.html", form, error, needs_set_up=False)


@blueprint.get("/sign-in/tenant")
@public
async def sign_in_tenant_show() -> Response:
    found = await _half_way()
    if not found:
        return await _expired()
    return await shell.render("admin/sign_in_tenant.html", accounts=found, form=Form({"next": _next()}))


@blueprint.post("/sign-in/tenant")
@public
async def sign_in_tenant() -> Response:
    form = await Form.entered()
    chosen = [account for account in await _half_way() if account.user.id == form.value("user")]
    return await go_on(chosen, form.value("next")) if chosen else await _expired()


@blueprint.get("/sign-in/code")
@public
async def sign_in_code_show() -> Response:
    found = await _half_way()
    return await shell.render("admin/sign_in_code.html", form=Form({"next": _next()})) if found else await _expired()


@blueprint.post("/sign-in/code")
@public
async def sign_in_code() -> Response:
    form = await Form.entered()
    found = await _half_way()
    if len(found) != 1:
        return await _expired()
    try:
        token = await accounts.sign_in(appliance(), found[0], browser(), form.value("code"))
        return await begin(token, form.value("next"))
    except FlowChatError as error:
        return await _again("admin/sign_in_code.html", form, error)


@blueprint.get("/lost-password")
@public
async def lost_password() -> Response:
    return await shell.render("admin/lost_password.html")


@blueprint.post("/sign-out")
@own_account
async def sign_out() -> Response:
    await sessions.sign_out(appliance(), guard.signed_in())
    response = await shell.done("You have signed out.", guard.SIGN_IN)
    cookies.clear(response, "session")
    response.headers["Clear-Site-Data"] = '"cache"'
    return response


def browser() -> accounts.Browser:
    return accounts.Browser(auth.client_address(), request.headers.get("User-Agent", ""))


async def begin(token: str, next_page: str = HOME) -> Response:
    """The session's cookie, and on to a page of the admin."""
    response = await shell.go(next_page if _is_own_page(next_page) else HOME)
    remember(response, token)
    return response


def remember(response: Response, token: str) -> None:
    """The browser is signed in with that session from now on."""
    cookies.write(response, "session", token, max_age_s=int(appliance().settings.session_max_days * _DAY_S))
    cookies.clear(response, "half_way")
    cookies.clear(response, "visit")


async def go_on(found: list[Account], next_page: str = HOME) -> Response:
    """In, or to what has to be asked first: which tenant, which code."""
    if len(found) == 1 and found[0].totp_secret is None:
        return await begin(await accounts.sign_in(appliance(), found[0], browser()), next_page)
    question = "tenant" if len(found) > 1 else "code"
    response = await shell.go(f"{guard.SIGN_IN}/{question}{guard.query_of_next(next_page)}")
    cookies.write(response, "half_way", accounts.half_way(appliance(), found), max_age_s=_HALF_WAY_S)
    return response


async def _half_way() -> list[Account]:
    try:
        return await accounts.read_half_way(appliance(), cookies.read("half_way"))
    except FlowChatError:
        return []


async def _expired() -> Response:
    return await shell.done("That took too long. Sign in again.", guard.SIGN_IN, "bad")


async def _again(template: str, form: Form, error: FlowChatError, **values: bool) -> Response:
    """Raises what the page has no words for."""
    if error.status not in _TOLD:
        raise error
    form.error = error
    response = await shell.render(template, 422 if error.status in (400, 401) else error.status, form=form, **values)
    if error.retry_after_s is not None:
        response.headers["Retry-After"] = str(error.retry_after_s)
    return response


def _next() -> str:
    return request.args.get("next", "")


def _is_own_page(path: str) -> bool:
    return f"{path}/".startswith(guard.PREFIX) and "\\" not in path and "//" not in path and path.isprintable()
