"""Short names: of a browser by its User-Agent, of an actor by how the audit log has it."""

import re

_BROWSERS = (
    ("Edg/", "Edge"),
    ("OPR/", "Opera"),
    ("Firefox/", "Firefox"),
    ("FxiOS/", "Firefox"),
    ("Chrome/", "Chrome"),
    ("CriOS/", "Chrome"),
    ("Safari/", "Safari"),
    ("curl/", "curl"),
)
_SYSTEMS = (
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Android", "Android"),
    ("Windows", "Windows"),
    ("Mac OS X", "macOS"),
    ("CrOS", "ChromeOS"),
    ("Linux", "Linux"),
)


_ACTOR = re.compile(r"(?:user|key) \w+ \((.+)\)", re.DOTALL)


def actor_name(actor: str) -> str:
    """Without the id, where there is a name: 'ann@example.com' of 'user usr_… (ann@example.com)'."""
    found = _ACTOR.fullmatch(actor)
    return found[1] if found else actor


def browser_name(user_agent: str) -> str:
    """Such as 'Firefox on Linux': good enough to recognise one's own."""
    browser = next((name for mark, name in _BROWSERS if mark in user_agent), "A browser")
    system = next((name for mark, name in _SYSTEMS if mark in user_agent), "")
    return f"{browser} on {system}" if system else browser
