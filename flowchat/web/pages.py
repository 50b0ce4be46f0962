"""What people see in a browser: the homepage with its live demo, the widget's page, and the documentation."""

from quart import Blueprint, render_template, request

from flowchat.services import docs, homepage
from flowchat.services.chat import MAX_QUERY_CHARS
from flowchat.services.tenants import DOCS_SLUG
from flowchat.web import widget, widget_look
from flowchat.web.current import appliance

blueprint = Blueprint("pages", __name__)


@blueprint.get("/")
async def home() -> str:
    """With `?q=`, that question stands in the box, ready to be asked."""
    app = appliance()
    return await render_template(
        "home.html",
        origin=app.settings.origin,
        key=homepage.homepage_key(app),
        source=DOCS_SLUG,
        examples=homepage.EXAMPLES,
        query=request.args.get("q", "")[:MAX_QUERY_CHARS],
        is_ready=await docs.are_answerable(app),
    )


@blueprint.get("/product/widget")
async def product_widget() -> str:
    app, script = appliance(), widget.script()
    return await render_template(
        "product_widget.html",
        origin=app.settings.origin,
        key=homepage.homepage_key(app),
        source=DOCS_SLUG,
        question=homepage.EXAMPLES[0],
        look=widget_look,
        pinned=widget.pinned_line(app.settings.origin),
        kilobytes=round(len(script.encoded["gzip"]) / 1000),
        brotli_kilobytes=round(len(script.encoded["br"]) / 1000),
        is_ready=await docs.are_answerable(app),
    )


@blueprint.get("/docs")
async def docs_index() -> str:
    return await render_template("docs_index.html", groups=docs.list_groups())


@blueprint.get("/docs/<name>")
async def docs_page(name: str) -> str:
    page = docs.get_page(name)
    before, after = docs.neighbours(page)
    return await render_template("docs_page.html", page=page, groups=docs.list_groups(), before=before, after=after)
