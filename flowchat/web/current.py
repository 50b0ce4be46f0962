"""The appliance that the present request is for."""

from typing import cast

from quart import current_app

from flowchat.services.context import Appliance


def appliance() -> Appliance:
    return cast(Appliance, current_app.extensions["appliance"])
