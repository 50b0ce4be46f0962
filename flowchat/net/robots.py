"""What a site asks of robots: its robots.txt by RFC 9309, and the directives of its pages.

Where RFC 9309 leaves room, this follows Google's parser (github.com/google/robotstxt): misspelt keys, lines without a
colon, part of a byte order mark, `index.html` for its folder.
"""

import re
from collections.abc import Iterable, Iterator
from itertools import pairwise
from typing import NamedTuple, Self

from flowchat.net.urls import normalise

AGENT = "FlowChatBot"
MAX_ROBOTS_BYTES = 500 * 1024  # RFC 9309, section 2.5: parse at least 500 KiB
MAX_CRAWL_DELAY_S = 30.0  # a longer wish would let one site hold a crawl for days

_LINE_END = re.compile(rb"[\r\n]+")
_KEY = re.compile(
    b"(?P<agent>user[- ]?agent)|(?P<allow>allow)|(?P<disallow>disallow|dissallow|dissalow|disalow|diasllow|disallaw)"
    b"|(?P<sitemap>site-?map)|(?P<delay>crawl-?delay)",
    re.IGNORECASE,
)
_PRODUCT_TOKEN = re.compile("[a-zA-Z_-]*")  # RFC 9309, section 2.2.1
_EVERY_AGENT = re.compile(r"\*([ \t]|$)")
_ESCAPE_OR_UNSAFE = re.compile(r"%([0-9A-Fa-f]{2})|[^!-~]")
_UNRESERVED = re.compile("[A-Za-z0-9._~-]")  # RFC 3986, section 2.3
_PATH = re.compile(r"(?:[^/?#:]*:)?//[^/?#]*([^#]*)")
_WORD_OR_COLON = re.compile(r"[^\s,;:]+|:")
_DIRECTIVES_WITH_VALUE = frozenset("unavailable_after max-snippet max-image-preview max-video-preview".split())


class RobotsRules:
    """The rules of one site for one robot."""

    def __init__(self, rules: Iterable["_Rule"] | None, crawl_delay_s: float, sitemaps: tuple[str, ...]) -> None:
        """`rules` None: everything is disallowed. `sitemaps`: those that the file names, as normalised URLs."""
        # The longest pattern that matches decides, and of two equally long ones the one that allows (section 2.2.2).
        self._rules = None if rules is None else sorted(rules, key=lambda rule: (-rule.priority, not rule.allow))
        self.crawl_delay_s = crawl_delay_s
        self.sitemaps = sitemaps

    @classmethod
    def parse(cls, status: int | None, body: bytes, agent: str = AGENT) -> Self:
        """Read the answer to the request for /robots.txt; `status` None: there was none. Never raises.

        2xx: the body's rules count. 5xx or no answer: nothing is allowed (RFC 9309, section 2.3.1.4). Anything else,
        such as 404: everything is allowed.
        """
        if status is None or status >= 500:
            return cls(None, 0.0, ())
        groups = _Groups(agent)
        if 200 <= status < 300:
            groups.read(_head(body))
        chosen = groups.own if groups.own.is_named else groups.everyone
        named = dict.fromkeys(normalise(url) for url in groups.sitemaps)
        rules = [_Rule.parse(pattern, allow) for pattern, allow in chosen.rules.items()]
        return cls(rules, chosen.delay_s, tuple(url for url in named if url))

    def allowed(self, url: str) -> bool:
        """Whether the robot may fetch this URL of the site.

        The rules decide about /robots.txt too, which RFC 9309 always allows: a crawl fetches it without asking.
        """
        if self._rules is None:
            return False
        path = _url_path(url)
        return next((rule.allow for rule in self._rules if rule.matches(path)), True)


class _Group:
    """What a robots.txt says to one robot, gathered from all its groups. `rules`: whether a pattern allows."""

    def __init__(self) -> None:
        self.is_named = False
        self.rules: dict[str, bool] = {}
        self.delay_s = 0.0

    def add(self, path: str, allow: bool) -> None:
        pattern = _canonical(path)
        folder, _, page = pattern.rpartition("/")
        for meant in (pattern, f"{folder}/$" if allow and page.startswith("index.htm") else ""):
            if meant:
                self.rules[meant] = self.rules.get(meant, False) or allow


class _Groups:
    """Reads a robots.txt, keeping only what concerns `agent`: its own groups, and those for every robot."""

    def __init__(self, agent: str) -> None:
        self._agent = agent.lower()
        self.own = _Group()
        self.everyone = _Group()
        self.sitemaps: list[str] = []

    def read(self, body: bytes) -> None:
        current: set[_Group] = set()
        has_rules = False  # then the next robot's name begins a new group; nothing but a rule ends a list of names
        for kind, value in _lines(body):
            if kind == "agent":
                current = set() if has_rules else current
                has_rules = False
                current.update(self._addressed(value))
            elif kind == "sitemap":
                self.sitemaps.append(value.encode("latin-1").decode("utf-8", "replace"))
            elif kind == "delay":
                for group in current:
                    group.delay_s = max(group.delay_s, _seconds(value))
            else:
                has_rules = True
                for group in current:
                    group.add(value, kind == "allow")

    def _addressed(self, name: str) -> Iterator[_Group]:
        if _EVERY_AGENT.match(name):
            yield self.everyone
        elif (token := _PRODUCT_TOKEN.match(name)) and token[0] and token[0].lower() == self._agent:
            self.own.is_named = True
            yield self.own


class _Rule(NamedTuple):
    """`parts` are what stands between the wildcards of a pattern; `is_whole`: it ends in `$`."""

    priority: int
    allow: bool
    parts: tuple[str, ...]
    is_whole: bool

    @classmethod
    def parse(cls, pattern: str, allow: bool) -> Self:
        is_whole = pattern.endswith("$")
        first, *others = pattern.removesuffix("$").replace("$", "%24").split("*")
        middle = [part for part in others[:-1] if part]
        return cls(len(pattern), allow, (first, *middle, *others[-1:]), is_whole)

    def matches(self, path: str) -> bool:
        """Each part is sought once, behind the one before: no pattern costs more than its length times the path's."""
        parts = self.parts
        if not path.startswith(parts[0]):
            return False
        position = len(parts[0])
        if len(parts) == 1:
            return not self.is_whole or position == len(path)
        for part in parts[1:-1]:
            position = path.find(part, position) + len(part)
            if position < len(part):
                return False
        if self.is_whole:
            return len(path) - len(parts[-1]) >= position and path.endswith(parts[-1])
        return path.find(parts[-1], position) >= 0


def _head(body: bytes) -> bytes:
    """The part that is parsed, without a line that the limit would cut in two."""
    if len(body) <= MAX_ROBOTS_BYTES:
        return body
    return body[: max(body.rfind(end, 0, MAX_ROBOTS_BYTES) for end in (b"\n", b"\r")) + 1]


def _lines(body: bytes) -> Iterator[tuple[str, str]]:
    """The lines that say something, as (kind, value). A character of the value is one octet of the file."""
    for line in _LINE_END.split(_without_bom(body)):
        said = line.partition(b"#")[0]
        key, colon, value = said.partition(b":")
        if not colon:
            words = said.split()
            key, value = words if len(words) == 2 else (b"", b"")
        found = _KEY.match(key.strip())
        if found and found.lastgroup:
            yield found.lastgroup, value.strip().decode("latin-1")


def _without_bom(body: bytes) -> bytes:
    for octet in (b"\xef", b"\xbb", b"\xbf"):
        if not body.startswith(octet):
            break
        body = body[1:]
    return body


def _url_path(url: str) -> str:
    """Path and query of a URL, as patterns are compared with. A `*` or `$` of its own is escaped (section 2.2.3)."""
    found = _PATH.match(url)
    path = _canonical((found[1] if found else "").encode("utf-8", "replace").decode("latin-1"))
    return ("" if path.startswith("/") else "/") + path.replace("*", "%2A").replace("$", "%24")


def _canonical(octets: str) -> str:
    """Escapes as RFC 9309, section 2.2.2, compares them: those of unreserved characters decoded, others upper-case."""

    def canonical(found: re.Match[str]) -> str:
        if not found[1]:
            return f"%{ord(found[0]):02X}"
        character = chr(int(found[1], 16))
        return character if _UNRESERVED.fullmatch(character) else found[0].upper()

    return _ESCAPE_OR_UNSAFE.sub(canonical, octets)


def _seconds(value: str) -> float:
    try:
        delay_s = float(value)
    except ValueError:
        return 0.0
    return min(delay_s, MAX_CRAWL_DELAY_S) if delay_s > 0 else 0.0  # not a number: 0


def page_directives(content: str) -> tuple[bool, bool]:
    """(noindex, nofollow) of the content of a `<meta name="robots">`; `none` means both."""
    tokens = ["", *_WORD_OR_COLON.findall(content.lower())]
    words = {word for before, word in pairwise(tokens) if before != ":"}  # not the value of max-image-preview
    return not words.isdisjoint(("noindex", "none")), not words.isdisjoint(("nofollow", "none"))


def header_directives(value: str, agent: str = AGENT) -> tuple[bool, bool]:
    """(noindex, nofollow) that an `X-Robots-Tag` header asks of `agent`.

    Directives behind a robot's name concern that robot alone, up to the next name:
    https://developers.google.com/search/docs/crawling-indexing/robots-meta-tag#xrobotstag
    """
    heard = []
    is_meant = True
    for piece in value.split(","):
        name, colon, directive = (part.strip() for part in piece.partition(":"))
        if colon and _PRODUCT_TOKEN.fullmatch(name) and name.lower() not in _DIRECTIVES_WITH_VALUE:
            is_meant = name.lower() == agent.lower()
            piece = directive
        if is_meant:
            heard.append(piece)
    return page_directives(",".join(heard))
