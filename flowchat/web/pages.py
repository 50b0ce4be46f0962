"""What people see in a browser: a page to ask the documentation, and the documentation."""

from quart import Blueprint, render_template

from flowchat.services import docs, homepage
from flowchat.services.tenants import DOCS_SLUG
from flowchat.web.current import appliance

blueprint = Blueprint("pages", __name__)

EXAMPLES = (
    "How does FlowChat check its answers?",
    "How do I crawl my own website?",
    "Which events does the chat stream send?",
    "What does it need to run?",
)


@blueprint.get("/")
async def home() -> str:
    app = appliance()
    return await render_template(
        "home.html",
        key=homepage.homepage_key(app),
        source=DOCS_SLUG,
        examples=EXAMPLES,
        is_ready=await docs.are_answerable(app),
    )


@blueprint.get("/docs")
async def docs_index() -> str:
    return await render_template("docs_index.html", groups=docs.list_groups())


@blueprint.get("/docs/<name>")
async def docs_page(name: str) -> str:
    return await render_template("docs_page.html", page=docs.get_page(name), groups=docs.list_groups())
