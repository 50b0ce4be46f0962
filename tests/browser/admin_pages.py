"""All pages of the admin, found by its routes and by its own links, so that new ones are among them."""

from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass
from urllib.parse import urljoin, urlsplit

from playwright.async_api import Page
from signing_in import Me
from subscribing import plan_of, subscribe
from two_tenants import Tenant
from web_server import Served
from werkzeug.exceptions import HTTPException

from flowchat.domain import now
from flowchat.store import restores
from flowchat.web import create_web
from flowchat.web.admin.blueprint import is_public

MOST_OF_A_LIST = 40  # pages of a list that are followed


@dataclass
class Site:
    """An appliance with one of everything, and its operator."""

    served: Served
    tenant: Tenant
    me: Me


class Routes:
    """The GET routes of the admin."""

    def __init__(self, served: Served) -> None:
        web = create_web(served.app)
        self._match = web.url_map.bind("localhost").match
        rules = [rule for rule in web.url_map.iter_rules() if f"{rule.rule}/".startswith("/admin/")]
        readable = {rule.rule: web.view_functions[rule.endpoint] for rule in rules if "GET" in (rule.methods or ())}
        self.public = sorted(path for path, handler in readable.items() if "<" not in path and is_public(handler))
        self.own = sorted(path for path, handler in readable.items() if "<" not in path and not is_public(handler))

    def endpoint(self, path: str) -> str:
        """'' for what is no page of the admin."""
        if not f"{path}/".startswith("/admin/"):
            return ""
        try:
            return str(self._match(path, method="GET")[0])
        except HTTPException:
            return ""


async def make_site(served: Served, me: Me, tenant: Tenant) -> Site:
    """With the user as the tenant's, who has something to be told on every page: about its plan, and a restore."""
    plan = plan_of("small", included_queries=1, max_sources=50, overage="metered", is_public=True)
    trial_ends_at = now(3 * 86_400)
    await subscribe(served.app.db, tenant.ids["tenant"], plan, "trialing", trial_ends_at=trial_ends_at)
    await served.app.db.write(
        lambda conn: conn.execute("update users set tenant_id = ? where id = ?", (tenant.ids["tenant"], me.user.id))
    )
    await served.app.db.write(lambda conn: restores.insert(conn, "flowchat-20261120-093000", now(-7200), now(-3600)))
    return Site(served, tenant, me)


async def walk(site: Site, page: Page, *, most: int = 1) -> AsyncIterator[str]:
    """Opens every page, then yields its path: `most` of each kind, and all pages of a list."""
    routes, seen = Routes(site.served), Counter[str]()
    waiting, queued = list(routes.own), set(routes.own)
    while waiting:
        path = waiting.pop(0)
        if not await _is_html(site.me, path):
            continue
        await page.goto(path)
        yield path
        for link in await page.evaluate("[...document.querySelectorAll('a[href]')].map((a) => a.getAttribute('href'))"):
            found = urlsplit(urljoin(path, link))
            endpoint = routes.endpoint(found.path) if not found.netloc else ""
            following = f"{found.path}?{found.query}" if found.query else found.path
            limit = MOST_OF_A_LIST if "starting_after=" in found.query else most
            if endpoint and following not in queued and seen[endpoint] < limit:
                seen[endpoint] += 1
                queued.add(following)
                waiting.append(following)


async def _is_html(me: Me, path: str) -> bool:
    """Streams and files are no pages."""
    async with me.client.stream("GET", path, timeout=60) as response:
        return response.headers["Content-Type"].startswith("text/html")
