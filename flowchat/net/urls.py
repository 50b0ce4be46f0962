"""URLs as browsers read them (WHATWG, by ada), and what a crawl thinks of them."""

import re
from collections import Counter
from collections.abc import Iterable
from fnmatch import fnmatchcase

from ada_url import URL, join_url, normalize_url

MAX_URL_CHARS = 2048  # as sitemaps.org; longer ones are mostly crawler traps that grow at every hop
MAX_REPEATS = 3  # of a path's segment, or of a query's parameter with its value
MAX_SEGMENTS = 25
MAX_SANE_CHARS = 1024  # a slug of 100 letters of another script than Latin has 600

_SCHEMES = ("http://", "https://")
_TRACKING = re.compile(
    # Clicks on advertisements
    "gclid|gclsrc|gbraid|wbraid|dclid|gad_source|gad_campaignid|fbclid|msclkid|twclid|ttclid|yclid|ymclid|_openstat"
    "|igsh|igshid|li_fat_id|epik|rdt_cid|sccid|irclickid|cjevent|zanpid|wickedid|rb_clickid|s_kwcid|ef_id|srsltid"
    # Statistics
    "|(utm|pk|mtm|matomo|piwik|hsa)_.*|_ga|_gl|s_cid|sc_cid|wt[._]mc([._].*)?|xtor|at_campaign|at_medium|spm|cmpid"
    # Letters
    "|mc_cid|mc_eid|mkt_tok|_hsenc|_hsmi|__hs(tc|sc|fp)|hsctatracking|vero_id|vero_conv|oly_anon_id|oly_enc_id"
    "|ml_subscriber|ml_subscriber_hash|_ke|_kx|__s|bsft_.*|elqtrack|elqtrackid|trk_(contact|msg|module|sid)|dm_i"
    # Where the visitor comes from, and the page with a form for a reply to one comment (WordPress)
    "|fb_(action_ids|action_types|source|ref)|guccounter|guce_referrer|guce_referrer_sig|_branch_match_id|replytocom"
    # Sessions
    "|phpsessid|jsessionid|aspsessionid.*|cfid|cftoken|zenid|oscsid|xtcsid",
    re.IGNORECASE | re.DOTALL,
)
# Under such names a session if its value looks like one: a short one may name content (phpBB, vBulletin and others).
_SESSION_VALUE = re.compile(r"(s|sid|sess|sess_?id|session|session_?id)=[0-9a-z]{26,}", re.IGNORECASE)
# Those of Java and of Perl; and ASP.NET's, which is a segment.
_SESSION_PATH = re.compile(r";(?:jsessionid|phpsessid|sid)=[^/;]*|/\(S\([0-9a-z]{24}\)\)(?=/)", re.IGNORECASE)
# Not behind a lone %, with which the decoded character could make a new escape.
_ESCAPE = re.compile(r"(?<!%)(?<!%.)%([0-9A-Fa-f]{2})", re.DOTALL)
_UNRESERVED = re.compile("[A-Za-z0-9._~-]")  # RFC 3986, section 2.3
_DIGITS = re.compile("(?<!%)(?<!%[0-9A-F])[0-9]+")  # none of an escape's


def resolve(url: str, base: str | None = None) -> str | None:
    """The URL (relative to `base`) as the WHATWG's standard has it; None where that calls it invalid."""
    try:
        return normalize_url(url) if base is None else join_url(base, url)
    except ValueError:
        return None


def _is_fetchable(href: str) -> bool:
    return href.startswith(_SCHEMES) and len(href) <= MAX_URL_CHARS and "@" not in href.split("/", 3)[2]


def parse(url: str, base: str | None = None) -> URL | None:
    """Parse a URL that may be fetched: http or https, without user name and password. None for anything else."""
    href = resolve(url, base)
    return URL(href) if href is not None and _is_fetchable(href) else None


def normalise(url: str, base: str | None = None) -> str | None:
    """The one form of a URL (relative to `base`) by which a crawl knows a page; None if it may not be fetched.

    Drops the fragment, the default port, the host's trailing dot, tracking parameters, session ids and an empty query.
    Escapes are upper-case, and those of unreserved characters decoded (RFC 3986, section 6.2.2). What may tell two
    pages apart stays: the order of parameters, empty ones, doubled and trailing slashes, index.html.
    """
    href = resolve(url, base)
    if href is None or not _is_fetchable(href):
        return None
    address, _, search = href.partition("#")[0].partition("?")
    if "%" in address:
        address = _with_canonical_escapes(address)
    if search:
        search = _essential(_with_canonical_escapes(search))
    scheme, _, host, path = address.split("/", 3)
    if host.endswith(".") or ".:" in host:
        name, colon, port = host.partition(":")
        if len(name) > 1 and not name.endswith(".."):
            host = name[:-1] + colon + port
    kept = _SESSION_PATH.sub("", "/" + path) if ";" in path or "(" in path else "/" + path
    page = f"{scheme}//{host}{kept}" + ("?" + search if search else "")
    return page if len(kept) > len(path) else normalise(page)  # less its session id, `/..;sid=1/` is the parent folder


def _with_canonical_escapes(text: str) -> str:
    def canonical(found: re.Match[str]) -> str:
        character = chr(int(found[1], 16))
        return character if _UNRESERVED.fullmatch(character) else found[0].upper()

    return _ESCAPE.sub(canonical, text)


def _essential(search: str) -> str:
    return "&".join(pair for pair in search.split("&") if pair and not _is_tracking(pair))


def _is_tracking(pair: str) -> bool:
    return bool(_TRACKING.fullmatch(pair.partition("=")[0]) or _SESSION_VALUE.fullmatch(pair))


def matches(patterns: Iterable[str], url: str) -> bool:
    """Whether a glob (`*` any characters, slashes too; `?` one) matches a normalised URL's path, or path and query."""
    _, slashes, rest = url.partition("://")
    if not slashes:
        return False
    path_and_query = "/" + rest.partition("/")[2]
    path = path_and_query.partition("?")[0]
    return any(fnmatchcase(path, glob) or fnmatchcase(path_and_query, glob) for glob in patterns)


def is_trap(url: str) -> bool:
    """Whether a normalised URL looks like one that grows at every hop: repeats itself, or is very deep or long."""
    address, _, search = url.partition("?")
    segments = address.split("/")[3:]
    return (
        len(url) > MAX_SANE_CHARS
        or len(segments) > MAX_SEGMENTS
        or _repeats(segments)
        or bool(search and _repeats(search.split("&")))
    )


def _repeats(parts: list[str]) -> bool:
    return len(parts) > MAX_REPEATS and max(Counter(parts).values()) > MAX_REPEATS


def shape(url: str) -> str:
    """What a normalised URL has in common with its siblings, such as the days of a calendar or a shop's filters.

    Numbers of the path become 0; of the query, the names of its parameters remain, sorted, once each.
    """
    address, _, search = url.partition("?")
    scheme, slashes, rest = address.partition("://")
    host, slash, path = rest.partition("/")
    names = sorted({pair.partition("=")[0] for pair in search.split("&")}) if search else []
    return scheme + slashes + host + slash + _DIGITS.sub("0", path) + ("?" if names else "") + "&".join(names)
