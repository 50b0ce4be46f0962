"""The settings of this machine, as they are in force. They are changed in its environment."""

from flowchat.domain import Actor
from flowchat.services.context import Context
from flowchat.services.lists import Listed
from flowchat.services.operations import operation
from flowchat.settings import SettingRow, describe


@operation("settings.list", "operator")
async def list_all(app: Context, actor: Actor) -> Listed[SettingRow]:
    """List the settings, all on one page. Of a secret only whether it is set is shown."""
    return Listed(describe(app.settings), False)
