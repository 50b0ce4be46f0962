"""Types of fields that several requests have. Patterns are ECMA-262 and Python, where `$` would let a newline by."""

from typing import Annotated

from msgspec import Meta

_END = r"$(?!\n)"  # in Python, `$` lets a last newline by
_BLANK = r"\s\x00-\x1f\x7f-\x9f\ufeff"  # in a class: `\s` alone has other characters in Python than in ECMA-262
_LABEL = "[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_NAME_LABEL = "[A-Za-z](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"  # a host that ends in a number is an address
_OCTET = "(?:25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])"
_HOST = rf"(?:(?:{_LABEL}\.){{0,8}}{_NAME_LABEL}|{_OCTET}(?:\.{_OCTET}){{3}})"
_PORT = "(?::(?:[0-9]{1,4}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5]))?"

LOCALE_PATTERN = rf"^[A-Za-z]{{2,8}}(?:-[A-Za-z0-9]{{1,8}}){{0,4}}{_END}"
SLUG_PATTERN = rf"^[a-z0-9](?:[a-z0-9-]{{0,62}}[a-z0-9])?{_END}"
URL_PATTERN = rf"^https?://{_HOST}{_PORT}(?:[/?#][^{_BLANK}]*)?{_END}"
ORIGIN_PATTERN = rf"^(?:\*|\*\.{_HOST}|https?://(?:{_HOST}|\[[0-9A-Fa-f:.]{{2,45}}\]){_PORT}/?){_END}"
CONTACT_PATTERN = rf"^(?:https?://{_HOST}{_PORT}(?:[/?#][^{_BLANK}]*)?|mailto:[^@{_BLANK}]+@[^@{_BLANK}]+){_END}"
TEXT_NAME_PATTERN = rf"^[a-z][a-z0-9_]{{0,39}}{_END}"
TEXT_PATTERN = rf"[^{_BLANK}]"
GLOB_PATTERN = r"^[/*?]"
CURSOR_PATTERN = rf"^(?:[a-z]{{3}}_[0-9a-z_]{{1,60}})?{_END}"
EMAIL_PATTERN = rf"^[A-Za-z0-9.!#$%&'*+/=?^_`{{|}}~-]+@{_LABEL}(?:\.{_LABEL})*{_END}"  # the HTML standard's
DATE_PATTERN = rf"^(?:[0-9]{{4}}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12][0-9]|3[01]))?{_END}"

FORMS = {
    LOCALE_PATTERN: "a BCP 47 language tag such as en or pt-BR",
    SLUG_PATTERN: "1 to 64 lower-case letters, digits and hyphens (not at its ends)",
    URL_PATTERN: "an address like https://example.com/docs/, with its host in ASCII",
    ORIGIN_PATTERN: "an origin (https://www.example.com: scheme, host and port, no path), *.example.com, or *",
    CONTACT_PATTERN: "an http, https or mailto address",
    TEXT_NAME_PATTERN: "names of 1 to 40 lower-case letters, digits and underscores",
    TEXT_PATTERN: "more than blanks",
    GLOB_PATTERN: "patterns that begin with /, * or ?, such as /docs/*",
    CURSOR_PATTERN: "the id of an entry of the list",
    EMAIL_PATTERN: "an e-mail address such as ann@example.com",
    DATE_PATTERN: "a date such as 2026-11-30",
}

Locale = Annotated[
    str, Meta(pattern=LOCALE_PATTERN, max_length=44, description="A BCP 47 language tag.", examples=["en"])
]
Slug = Annotated[str, Meta(pattern=SLUG_PATTERN, max_length=64, description="A name in addresses.", examples=["help"])]
HttpUrl = Annotated[
    str,
    Meta(pattern=URL_PATTERN, max_length=2000, description="With http or https.", examples=["https://example.com/"]),
]
Email = Annotated[
    str,
    Meta(pattern=EMAIL_PATTERN, max_length=254, description="Kept in lower case.", examples=["ann@example.com"]),
]
Date = Annotated[str, Meta(pattern=DATE_PATTERN, examples=["2026-11-30"])]
