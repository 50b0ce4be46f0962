"""My account: name, password, second factor, and the browsers that are signed in."""

from quart import Response

from flowchat.services import accounts, second_factor, sessions
from flowchat.services.second_factor import Enrolment
from flowchat.web.admin import guard, shell
from flowchat.web.admin.blueprint import blueprint, own_account
from flowchat.web.admin.forms import Form
from flowchat.web.current import appliance

PAGE = "/admin/account"


@blueprint.get("/account")
@own_account
async def account_show() -> Response:
    return await _show(Form({"name": guard.signed_in().user.name}))


async def _show(form: Form, status: int = 200) -> Response:
    app, me = appliance(), guard.signed_in()
    return await shell.render(
        "admin/account/show.html",
        status,
        form=form,
        sessions=await sessions.list_own(app, me),
        codes_left=await second_factor.count_recovery_codes(app, me),
    )


@blueprint.post("/account/name")
@own_account
async def account_rename() -> Response:
    form = await Form.entered()
    with form:
        await accounts.rename(appliance(), guard.signed_in(), form.value("name"))
        return await shell.done("Your name is changed.", PAGE)
    return await _show(form, 422)


@blueprint.post("/account/password")
@own_account
async def account_password() -> Response:
    form = await Form.entered()
    with form:
        await accounts.change_password(
            appliance(), guard.signed_in(), form.value("current_password"), form.value("password")
        )
        return await shell.done("Your password is changed. Your other browsers are signed out.", PAGE)
    return await _show(form, 422)


@blueprint.post("/account/sessions/<session>/end")
@own_account
async def account_session_end(session: str) -> Response:
    ending = sessions.end(appliance(), guard.signed_in(), session)
    return await shell.act(ending, to=PAGE, text="That browser is signed out.")


@blueprint.post("/account/sessions/end-others")
@own_account
async def account_sessions_end_others() -> Response:
    ended = await sessions.end_others(appliance(), guard.signed_in())
    return await shell.done(f"{ended} other {'browser is' if ended == 1 else 'browsers are'} signed out.", PAGE)


@blueprint.get("/account/second-factor")
@own_account
async def second_factor_show() -> Response:
    return await _enrol(Enrolment(appliance(), guard.signed_in()), Form())


async def _enrol(enrolment: Enrolment, form: Form, status: int = 200) -> Response:
    return await shell.render("admin/account/second_factor.html", status, enrolment=enrolment, form=form)


@blueprint.post("/account/second-factor")
@own_account
async def second_factor_on() -> Response:
    app, me, form = appliance(), guard.signed_in(), await Form.entered()
    enrolment = Enrolment(app, me, form.value("secret"))
    with form:
        await accounts.confirm_password(app, me, form.value("current_password"))
        codes = await second_factor.turn_on(app, me, enrolment, form.value("code"))
        return await shell.render("admin/account/recovery_codes.html", codes=codes)
    return await _enrol(enrolment, form, 422)


@blueprint.post("/account/second-factor/off")
@own_account
async def second_factor_off() -> Response:
    app, me, form = appliance(), guard.signed_in(), await Form.entered()
    with form:
        await accounts.confirm_password(app, me, form.value("current_password"))
        await second_factor.turn_off(app, me)
        return await shell.done("The second factor is off.", PAGE)
    return await shell.done(form.message, PAGE, "bad")


@blueprint.post("/account/recovery-codes")
@own_account
async def recovery_codes_renew() -> Response:
    app, me, form = appliance(), guard.signed_in(), await Form.entered()
    with form:
        await accounts.confirm_password(app, me, form.value("current_password"))
        codes = await second_factor.renew_recovery_codes(app, me)
        return await shell.render("admin/account/recovery_codes.html", codes=codes)
    return await shell.done(form.message, PAGE, "bad")
