"""URLs as browsers read them (WHATWG, by ada), and what a crawl thinks of them."""

import re
from collections.abc import Iterable
from fnmatch import fnmatchcase
from urllib.parse import unquote_plus

from ada_url import URL

MAX_URL_CHARS = 2048  # as sitemaps.org; longer ones are mostly crawler traps that grow at every hop

_SCHEMES = ("http://", "https://")
_TRACKING = re.compile(
    "gclid|gclsrc|gbraid|wbraid|dclid|fbclid|msclkid|twclid|ttclid|yclid|igshid|li_fat_id|mc_cid|mc_eid|mkt_tok"
    "|_ga|_gl|_hsenc|_hsmi|vero_id|vero_conv|oly_anon_id|oly_enc_id|wickedid|srsltid|rb_clickid|s_cid"
    "|(utm|pk|mtm|hsa)_.*"
    "|phpsessid|jsessionid|aspsessionid.*|sessionid|session_id|cfid|cftoken|zenid|oscsid",
    re.IGNORECASE | re.DOTALL,
)
_SESSION_VALUE = re.compile(r"sid=[0-9a-f]{32}", re.IGNORECASE)  # phpBB; a short sid may name content
_SESSION_PATH = re.compile(r";jsessionid=[^/;]*", re.IGNORECASE)


def parse(url: str, base: str | None = None) -> URL | None:
    """Parse a URL that may be fetched: http or https, without user name and password. None for anything else."""
    try:
        parsed = URL(url, base)
    except ValueError:
        return None
    href = parsed.href  # read once and cut by hand: every attribute of ada's URL costs as much as parsing it
    if not href.startswith(_SCHEMES) or len(href) > MAX_URL_CHARS or "@" in href.split("/", 3)[2]:
        return None
    return parsed


def normalise(url: str, base: str | None = None) -> str | None:
    """The one form of a URL (relative to `base`) by which a crawl knows a page; None if it may not be fetched.

    Drops the fragment, the default port, tracking parameters, session ids and an empty query.
    """
    parsed = parse(url, base)
    if parsed is None:
        return None
    address, _, search = parsed.href.partition("#")[0].partition("?")
    query = "&".join(pair for pair in search.split("&") if pair and not _is_tracking(pair))
    return _SESSION_PATH.sub("", address) + ("?" + query if query else "")


def _is_tracking(pair: str) -> bool:
    name = unquote_plus(pair.partition("=")[0])
    return bool(_TRACKING.fullmatch(name) or _SESSION_VALUE.fullmatch(pair))


def in_scope(url: str, root: str) -> bool:
    """Whether a URL lies in the folder of the root URL: same host and port, path under the root's last slash.

    Root https://x/docs/intro.html has the folder /docs/; so has https://x/docs/, but https://x/docs has /.
    """
    page, start = parse(url), parse(root)
    if page is None or start is None:
        return False
    folder = start.pathname.rpartition("/")[0] + "/"
    return page.host == start.host and page.pathname.startswith(folder)


def matches(patterns: Iterable[str], url: str) -> bool:
    """Whether a glob (`*` any characters, slashes too; `?` one) matches the URL's path, or its path and query."""
    parsed = parse(url)
    if parsed is None:
        return False
    path, path_and_query = parsed.pathname, parsed.pathname + parsed.search
    return any(fnmatchcase(path, glob) or fnmatchcase(path_and_query, glob) for glob in patterns)
