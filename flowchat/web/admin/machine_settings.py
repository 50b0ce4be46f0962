"""The machine's settings, for operators: to be read and found. They are changed in the environment."""

import msgspec
from quart import Response

from flowchat.services import settings_list as machine
from flowchat.web.admin import shell
from flowchat.web.admin.blueprint import blueprint, performs
from flowchat.web.admin.forms import Form
from flowchat.web.current import appliance


class SettingsRequest(msgspec.Struct, frozen=True, kw_only=True):
    """`q`: words that a setting's name, value or help has."""

    q: str = ""


@blueprint.get("/machine-settings")
@performs("settings.list")
async def settings_list() -> Response:
    asked = shell.query(SettingsRequest)
    rows = (await machine.list_all(appliance(), shell.actor())).items
    words = asked.q.lower().split()
    found = [row for row in rows if all(word in f"{row.variable} {row.value} {row.help}".lower() for word in words)]
    return await shell.render("admin/settings/list.html", settings=found, filters=Form({"q": asked.q}))
