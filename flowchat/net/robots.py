"""What a site's robots.txt allows, by RFC 9309."""

import re
from typing import Self

from protego import Protego

from flowchat.net.urls import normalise

AGENT = "FlowChatBot"
MAX_ROBOTS_BYTES = 500 * 1024  # RFC 9309, section 2.5: parse at least 500 KiB
MAX_CRAWL_DELAY_S = 30.0  # a longer wish would let one site hold a crawl for days

_AGENT_LINE = re.compile(r"\s*user[- ]?agent\s*:?([^#]*)", re.IGNORECASE)  # the spellings that protego takes
_OTHER_ROBOT = "(other)"  # never part of a robot's name


class RobotsRules:
    """The rules of one site for one robot."""

    def __init__(self, rules: Protego | None, agent: str) -> None:
        """`rules` None: everything is disallowed."""
        self._rules = rules
        self._agent = agent

    @classmethod
    def parse(cls, status: int | None, body: bytes, agent: str = AGENT) -> Self:
        """Read the answer to the request for /robots.txt; `status` None: there was none. Never raises.

        2xx: the body's rules count. 5xx or no answer: nothing is allowed (RFC 9309, section 2.3.1.4). Anything else,
        such as 404: everything is allowed.
        """
        if status is None or status >= 500:
            return cls(None, agent)
        text = _head(body).decode("utf-8-sig", "replace") if 200 <= status < 300 else ""
        return cls(Protego.parse(_for_agent(text, agent)), agent)

    def allowed(self, url: str) -> bool:
        """Whether the robot may fetch this URL of the site."""
        return self._rules is not None and self._rules.can_fetch(url, self._agent)

    @property
    def crawl_delay_s(self) -> float:
        """Least pause between two requests that the site asks for, 0 to 30 seconds."""
        asked_s = self._rules.crawl_delay(self._agent) if self._rules else None
        return min(asked_s or 0.0, MAX_CRAWL_DELAY_S)

    @property
    def sitemaps(self) -> tuple[str, ...]:
        """The sitemaps that the file names, as normalised URLs."""
        named = (normalise(url) for url in self._rules.sitemaps) if self._rules else ()
        return tuple(dict.fromkeys(url for url in named if url))


def _head(body: bytes) -> bytes:
    """The part that is parsed, without a line that the limit would cut in two."""
    if len(body) <= MAX_ROBOTS_BYTES:
        return body
    return body[: body.rfind(b"\n", 0, MAX_ROBOTS_BYTES) + 1]


def _for_agent(text: str, agent: str) -> str:
    """The same file with all robots that are not `agent` under one name.

    Protego stores every rule of a group once for each of its robots: 130 KB with 4,000 robots and 4,000 rules would
    cost a minute and 1.4 GB.
    """
    return "\n".join(_agent_line(line, agent.lower()) for line in text.splitlines())


def _agent_line(line: str, agent: str) -> str:
    found = _AGENT_LINE.match(line)
    name = found[1].strip().lower() if found else ""
    if name in ("", "*"):
        return line
    name = name.replace("*", "")
    return "User-agent: " + (name if name and name in agent else _OTHER_ROBOT)
