"""Takes secrets out of what is about to be logged: the last line of defence, behind code that does not log them."""

import re
from collections.abc import Iterable

GONE = "***"
_PATTERNS = [
    (re.compile(pattern), rf"\g<1>{re.escape(GONE)}")
    for pattern in (
        r"(\b(?:kbk_(?:live|test)|fca|whsec|(?:sk|rk)_(?:live|test))_)[\w+/=-]{4,}",
        # Headers, as in a request, a dict or a list of pairs.
        r"""(?i)(\b(?:(?:proxy-)?authorization|(?:set-)?cookie|x-flowchat-key|x-csrf-token)['"]?\s*[:=,]\s*b?['"]?)"""
        r"""[^\r\n'"]+""",
        r"((?i:\bbearer)\s+)[\w.~+/=-]{6,}",
        r"((?i:\bbasic)\s+)(?=\S*[\d=A-Z])[\w+/=-]{8,}",
        r"""(://)[^\s/?#'"<>]*(?=@)""",
        r"(/(?:set-up|invitation|reset|sign-in|confirm)/)[\w.-]{8,}",
        r"((?:flowchat-(?:session|visit|half))=)[^;\s]+",
        # Fields of a form or of JSON.
        r"""(?i)((?:token|password|passwd|passphrase|secret|api_?key|signature|recovery_code)(?:=|['"]\s*:\s*b?['"]))"""
        r"""[^\s'"&;]+""",
        r"(?<![\w-])()[\w-]{4,}\.[\w-]{5,8}\.[\w-]{27}(?![\w-])",  # signed links
        r"(\b)[0-9a-f]{32}\b",  # sessions, invites
    )
]
_SHORTEST = 6  # characters of a known secret: a shorter one stands in too many harmless words


class Redactor:
    """Knows what FlowChat's secrets look like, and those of its settings word for word."""

    def __init__(self, known: Iterable[str] = ()) -> None:
        self._known = sorted({secret for secret in known if len(secret) >= _SHORTEST}, key=len, reverse=True)

    def redact(self, text: str) -> str:
        for secret in self._known:
            text = text.replace(secret, GONE)
        for pattern, replacement in _PATTERNS:
            text = pattern.sub(replacement, text)
        return text
