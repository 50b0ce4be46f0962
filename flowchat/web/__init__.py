"""HTTP: parse a request, call one service, render what it returns."""

from pathlib import Path

from quart import Quart

import flowchat
from flowchat.services.context import Appliance
from flowchat.web import (
    access_log,
    admin,
    api,
    api_docs,
    auth,
    chat,
    health,
    metrics,
    openapi,
    pages,
    respond,
    signup,
    stripe_events,
    uploads,
    widget,
)

MAX_BODY_BYTES = 64 * 1024  # a body is buffered before its handler reads it
HEARTBEAT_S = 10.0
_CHECKOUT = Path(flowchat.__file__).resolve().parent.parent


def create_web(app: Appliance, *, heartbeat_s: float = HEARTBEAT_S) -> Quart:
    """The whole HTTP surface of an appliance. Raises FlowChatError for proxies that can't be understood."""
    web = Quart(
        "flowchat",
        static_folder=str(_CHECKOUT / "static"),
        template_folder=str(_CHECKOUT / "templates"),
    )
    web.config["MAX_CONTENT_LENGTH"] = MAX_BODY_BYTES
    web.config["BODY_TIMEOUT"] = uploads.BODY_TIMEOUT_S
    web.request_class = uploads.request_class(app.settings.upload_max_bytes)
    web.asgi_http_class = uploads.Connection
    web.url_map.merge_slashes = False  # /v1//sources is not found, and nothing redirects
    web.config["HEARTBEAT_S"] = heartbeat_s
    web.extensions["appliance"] = app
    web.extensions["trusted_proxies"] = auth.parse_networks(app.settings.trusted_proxies)
    respond.install(web, {"/admin": admin.error_page})
    for blueprint in (
        chat.blueprint,
        api.blueprint,
        stripe_events.blueprint,
        openapi.blueprint,
        api_docs.blueprint,
        health.blueprint,
        metrics.blueprint,
        pages.blueprint,
        signup.blueprint,
        widget.blueprint,
        admin.blueprint,
    ):
        web.register_blueprint(blueprint)
    widget.read_asset(_CHECKOUT / "static" / "v1.js")  # compressed now, not while a visitor waits
    web.after_serving(api.finish_all)
    web.asgi_app = access_log.AccessLog(web.asgi_app, app.metrics)  # type: ignore[method-assign]
    return web
