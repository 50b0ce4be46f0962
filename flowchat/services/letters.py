"""What e-mails say: plain text, who sends it and why, and nothing that a stranger has typed.

Whoever asks for an account in somebody else's name must not get words of theirs delivered by it.
"""

from dataclasses import dataclass
from urllib.parse import urlsplit


@dataclass(frozen=True, slots=True)
class Letter:
    subject: str
    body: str


def confirmation(origin: str, url: str) -> Letter:
    return Letter(
        f"Confirm your sign-up at {_host(origin)}",
        f"""Hello,

somebody, we hope you, has asked for a FlowChat account at {origin} with this e-mail address.

To confirm it and to get your keys, open this link within 24 hours. It works once:

{url}

If it was not you, do nothing: no account is made, and the request is deleted within a week.
{signature(origin, "this address was entered on its sign-up page")}""",
    )


def has_account(origin: str) -> Letter:
    return Letter(
        f"You have an account at {_host(origin)} already",
        f"""Hello,

somebody, we hope you, has asked for a FlowChat account at {origin} with this e-mail address. You have one already, so
no other was made. Sign in here:

{origin}/admin/sign-in

If you have lost your password, that page says what to do. If it was not you who asked, do nothing: nothing has changed.
{signature(origin, "this address was entered on its sign-up page")}""",
    )


def welcome(origin: str, url: str) -> Letter:
    return Letter(
        f"Choose a password for {_host(origin)}",
        f"""Hello,

your FlowChat account at {origin} is made. To sign in to its admin, choose a password: this link works once, within 7
days.

{url}

Your keys were shown when the account was made, and are not sent by e-mail. If you have lost them, make new ones in the
admin.
{signature(origin, "an account was made with this address")}""",
    )


def invite(origin: str, url: str, expires_on: str) -> Letter:
    return Letter(
        f"Your invitation to {_host(origin)}",
        f"""Hello,

the people who run FlowChat at {origin} invite you to make an account there: for a chat on your own website that answers
from your pages, and shows nothing that they don't say.

This link works once, until {expires_on}:

{url}

If you don't want to, do nothing.
{signature(origin, "its operator entered this address")}""",
    )


def _host(origin: str) -> str:
    return urlsplit(origin).netloc


def signature(origin: str, why: str) -> str:
    return f"""
-- \nSent by FlowChat at {origin}, because {why}.
"""
