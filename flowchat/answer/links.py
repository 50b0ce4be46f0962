"""Links: what of a sentence may be shown. Text of pages is data, and so is what a model makes of it.

An address is shown only if it stands in a passage that is cited, and leads to that page's own site or to a host that
the operator trusts, whether it is written as a link, as a bare name ("evil.com", "bit.ly/x") or to be mailed to: what
someone could write into a page (a comment, a review, an upload) must not send visitors elsewhere under the site's name.
HTML is shown only as code that a cited passage holds. All else of a sentence stays.
"""

import html
import re
import unicodedata
from collections.abc import Callable, Sequence
from urllib.parse import urlsplit

from flowchat.domain import Chunk

OMITTED = "[\u2026]"

_LOCAL_HOSTS = frozenset({"localhost", "127.0.0.1", "0.0.0.0", "::1"})  # noqa: S104 - read, not bound to
_DOCUMENTATION_HOSTS = frozenset({"example.com", "example.net", "example.org"})  # nobody else's: RFC 2606
_SITE_PARTS = frozenset("www docs doc documentation help support blog wiki kb faq learn developer developers".split())
_ACTIVE_SCHEMES = frozenset("javascript vbscript data blob file view-source".split())
_CODE = re.compile(r"(```.*?(?:```|\Z)|(?<!`)`[^`\n]+`(?!`))", re.DOTALL)
_COLON, _SLASH = "[:\uff1a\ufe55\ua789]", r"[/\\\uff0f\u2215\u2044\u29f8]"
_CHAR = r"[^\s<>\"`|\u201c\u201d]"
_REST = f"{_CHAR}*"
_DOMAINS = "com|org|net|io|dev|app|co|ai|me|info|biz|xyz|site|online|shop|cloud|link|click|top|example|test|invalid"
# Bare names of these are addresses: not those that are rather code (`os.path`, `btn.click`, `df.at`) or files
# (`main.py`, `main.cf`). "ASP.NET" and "System.IO" are names.
_BARE_DOMAINS = (
    "com|org|biz|xyz|site|online|shop|cloud|example|invalid|ru|su|cn|de|uk|nl|br|fr|eu|au|ch|se|cz|dk|ir|jp|kr|gr|hu|"
    "ro|ua|kz|tr|vn|ng|za|mx|cl|tk|ga|gq|ws|pw|ly|ee|lv|fi|hr|bg|pt|ie|il|hk|tw|sg|nz|"
    "(?-i:net|io|dev|co|ai|me|test)"
)
_FILES = (
    "c|cc|cfg|cf|conf|cpp|cs|css|csv|db|exe|git|go|gz|h|hpp|htm|html|ini|java|js|json|jsx|jsp|kt|lock|log|lua|md|ml|php|"
    "pl|py|rb|rs|rst|scss|service|sh|so|sql|sqlite|svg|swift|tar|tf|toml|ts|tsx|txt|vue|xml|yaml|yml"
)
_BEFORE_NAME = r"(?<![\w@./-])\.*"
_URL = re.compile(
    rf"(?:[a-z][a-z0-9+.-]{{1,20}}{_COLON}{_SLASH}+{_REST}"  # https://host, and its lookalikes
    rf"|(?:javascript|vbscript|blob|view-source){_COLON}{_CHAR}+"
    rf"|data{_COLON}[\w.+-]*[/;,]{_REST}"
    rf"|mailto{_COLON}[^\s@]{{1,64}}@{_REST}"
    rf"|(?<![\w:/\\.]){_SLASH}{{2}}(?=[\w-]+\.){_REST}"  # //host
    rf"|\bwww\d?\.{_REST}"
    rf"|{_BEFORE_NAME}(?:[\w-]+\.)+(?:{_DOMAINS})(?::\d+)?[/?#]{_REST}"  # host.com/path
    rf"|{_BEFORE_NAME}(?:[\w-]+\.)+(?!(?:{_FILES})\b)[a-z]{{2,24}}(?::\d+)?/{_REST}"  # bit.ly/path
    rf"|{_BEFORE_NAME}(?:[\w-]+\.)+(?:{_BARE_DOMAINS})(?::\d+)?(?![\w(-]|\.\w)"  # host.com
    rf"|(?<![\w@./-])\d{{1,3}}(?:\.\d{{1,3}}){{3}}(?!/\d{{1,2}}(?![\w/?#]|\.\w))(?:/|:\d){_REST}"  # IPv4, no subnet
    rf"|(?<![\w.+-])[\w.+-]+@(?:[\w-]+\.)+(?!(?:{_FILES})\b)[a-z]{{2,24}}\b)",  # me@host.com
    re.IGNORECASE,
)
_MARKDOWN_LINK = re.compile(
    r"!?\[([^\[\]]*)\]\(\s{0,8}<?([^\s()<>]*(?:\([^\s()<>]*\)[^\s()<>]*)*)>?"
    r"(?:\s{1,8}(?:\"[^\"]*\"|'[^']*'|\([^()]*\)))?\s{0,8}\)"
)
_AUTOLINK = re.compile(r"<([a-z][a-z0-9+.-]*:[^<>\s]*|[^<>\s@]+@[^<>\s]+)>", re.IGNORECASE)
_TAG = re.compile(r"<([a-z/!?][^<>]*)>", re.IGNORECASE)
_TAG_BEGUN = re.compile(r"<(?=[a-z/!?])", re.IGNORECASE)
_JOINERS = "\u200c\u200d"  # emoji and several scripts are written with them
_KEPT = re.compile("\ue000(\\d+)\ue001")


def shown(text: str, chunks: Sequence[Chunk], link_hosts: Sequence[str] = ()) -> str:
    """The text as a visitor may see it; `chunks` are what it cites or quotes.

    Markdown links and images become their texts, and bare addresses `[...]`, unless they may be shown. Tags outside
    code get other brackets. Control, invisible and direction marks are dropped. `link_hosts` are the operator's
    trusted hosts, `*` for all. FlowChat's own pages, whose addresses are paths, may name any address.
    """
    passages = " ".join(visible(f"{chunk.text}\n{chunk.url}") for chunk in chunks)
    hosts = {
        *_LOCAL_HOSTS,
        *_DOCUMENTATION_HOSTS,
        *link_hosts,
        *(host for chunk in chunks if (host := _host(chunk.url))),
    }
    if any(chunk.url.startswith("/") for chunk in chunks):
        hosts.add("*")

    def is_allowed(url: str) -> bool:
        return url in passages and _is_of(url, hosts)

    pieces = _CODE.split(visible(text))
    return "".join(
        _shown_code(piece, passages, is_allowed) if number % 2 else _shown_prose(piece, is_allowed)
        for number, piece in enumerate(pieces)
    )


def visible(text: str) -> str:
    """The text without control characters (but line ends and tabs), direction marks and invisible characters."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(char for number, char in enumerate(text) if _is_visible(char, text[number - 1 : number]))


def _is_visible(char: str, before: str) -> bool:
    if char in _JOINERS:
        return bool(before) and not before.isascii()
    hidden = unicodedata.category(char) in ("Cc", "Cf", "Cs", "Co", "Cn") or "\U000e0100" <= char <= "\U000e01ef"
    return not hidden or char in "\n\t"


def _shown_code(code: str, passages: str, is_allowed: Callable[[str], bool]) -> str:
    fence = "```" if code.startswith("```") else "`"
    inside = code.removeprefix(fence).removesuffix(fence)
    if " ".join(inside.split()) not in " ".join(passages.split()):
        inside = _without_tags(inside)
    return f"{fence}{_without_urls(inside, is_allowed)}{fence}"


def _shown_prose(text: str, is_allowed: Callable[[str], bool]) -> str:
    decoded = visible(html.unescape(text))
    if _URL.search(decoded) or _TAG_BEGUN.search(decoded) or "](" in decoded:
        text = decoded
    text = text.replace("`", "'")  # a stray one would turn code that follows into text
    kept: list[str] = []

    def shown_link(link: re.Match[str]) -> str:
        if not is_allowed(link[2]) or not link[2].lower().startswith(("https://", "http://")):
            return link[1]
        kept.append(link[0].replace("<", "").replace(">", ""))
        return f"\ue000{len(kept) - 1}\ue001"

    former = ""
    while former != text:  # links stand inside links
        former, text = text, _MARKDOWN_LINK.sub(shown_link, text)
    text = _AUTOLINK.sub(r"\1", text.replace("](", "] ("))
    text = _without_tags(_without_urls(text, is_allowed))
    return _KEPT.sub(lambda mark: kept[int(mark[1])], text)


def _without_urls(text: str, is_allowed: Callable[[str], bool]) -> str:
    """The text with OMITTED for every address that is not allowed."""

    def shown_url(match: re.Match[str]) -> str:
        url = match[0].rstrip(".,;:!?'*_)]}")
        if url.count("(") > url.count(")") and match[0].startswith(f"{url})"):
            url += ")"
        return match[0] if is_allowed(url) else OMITTED + match[0][len(url) :]

    return _URL.sub(shown_url, text)


def _without_tags(text: str) -> str:
    """Tags between other brackets: to be read, and HTML in no program."""
    former = ""
    while former != text:
        former, text = text, _TAG.sub("\u2039\\1\u203a", text)
    return _TAG_BEGUN.sub("\u2039", text)


def _is_of(url: str, hosts: set[str]) -> bool:
    """Whether the address is of one of the hosts, of one below, or of the site whose docs are one. Plain ones only."""
    if "\\" in url or not url.isascii() or re.split(r"[:/]", url.lower())[0] in _ACTIVE_SCHEMES:
        return False
    if "*" in hosts:
        return True
    host = _host(url if "://" in url else f"//{url.lstrip('/').removeprefix('mailto:')}")
    return any(host == other or host.endswith(f".{other}") or _is_parent(host, other) for other in hosts)


def _is_parent(host: str, of: str) -> bool:
    """docs.acme.com is of acme.com; not so alice.github.io of github.io, where anyone can have pages."""
    name, _, above = of.partition(".")
    return name in _SITE_PARTS and "." in above and host == above


def _host(url: str) -> str:
    """An address's host in lower case without `www.`, '' if it has none or can't be read."""
    try:
        return (urlsplit(url).hostname or "").removeprefix("www.")
    except ValueError:
        return ""
