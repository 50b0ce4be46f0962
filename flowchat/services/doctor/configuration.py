"""Do the settings fit each other, and this machine?"""

import errno
import os
import socket
from collections.abc import Iterable, Iterator
from ipaddress import ip_address, ip_network
from urllib.parse import urlsplit

from flowchat.errors import FlowChatError
from flowchat.net import mail
from flowchat.services.doctor.findings import Facts, Finding, ok, problem, warning
from flowchat.settings import PREFIX, Settings, describe

STRIPE = "https://api.stripe.com"
_NO_SETTINGS = (f"{PREFIX}TEST_", f"{PREFIX}IMAGE")


def contradictions(facts: Facts) -> Iterable[Finding]:
    found = [finding for rules in (_address, _mail, _stripe, _generator, _threads) for finding in rules(facts.settings)]
    return found or [ok("nothing contradicts itself")]


def _is_local(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _address(settings: Settings) -> Iterator[Finding]:
    url = urlsplit(settings.public_url)
    if settings.public_url and not (url.scheme in ("http", "https") and url.hostname):
        told = f"FLOWCHAT_PUBLIC_URL is no address: {settings.public_url}"
        yield problem(told, "Write it as in https://chat.example.com.")
    elif url.scheme == "http" and not _is_local(url.hostname or ""):
        told = "FLOWCHAT_PUBLIC_URL is not https: keys and passwords can be read on the way."
        yield warning(told, "Put a proxy with a certificate before FlowChat (Caddy makes one by itself).")
    if url.scheme == "https" and not settings.trusted_proxies:
        told = "FLOWCHAT_TRUSTED_PROXIES is empty behind a proxy: all visitors count as one address."
        yield warning(told, "Set it to the proxy's address, such as 127.0.0.1.")
    if not settings.public_url and not _is_local(settings.host):
        told = f"FlowChat listens on {settings.host} without https and FLOWCHAT_PUBLIC_URL."
        yield warning(told, "Set FLOWCHAT_PUBLIC_URL, and let only the proxy reach the port.")
    for proxy in settings.trusted_proxies:
        try:
            if ip_network(proxy, strict=False).prefixlen == 0:
                told = f"FLOWCHAT_TRUSTED_PROXIES believes everybody ({proxy}): visitors can invent addresses."
                yield problem(told, "Name the proxy's own address.")
        except ValueError:
            yield problem(f"FLOWCHAT_TRUSTED_PROXIES: '{proxy}' is no address.", "Give addresses or networks.")


def _mail(settings: Settings) -> Iterator[Finding]:
    try:
        mail.server_of(settings)
    except FlowChatError as error:
        yield problem(error.message, "Correct it; `flowchat mail test ADDRESS` shows whether it works.")
    if settings.mail_from and not settings.smtp_url:
        yield warning("FLOWCHAT_MAIL_FROM is set, but no mail server.", "Set FLOWCHAT_SMTP_URL.")
    if settings.signup != "closed" and not settings.smtp_url:
        told = "Signing up is possible, but no e-mail can be sent: you have to hand out each link yourself."
        yield warning(told, "Set FLOWCHAT_SMTP_URL and FLOWCHAT_MAIL_FROM.")


def _stripe(settings: Settings) -> Iterator[Finding]:
    key, is_stripe = settings.stripe_api_key, settings.stripe_api_base.rstrip("/") == STRIPE
    if not key:
        if settings.stripe_webhook_secret:
            yield warning("FLOWCHAT_STRIPE_WEBHOOK_SECRET is set, but no key.", "Set FLOWCHAT_STRIPE_API_KEY.")
        return
    if key.startswith("pk_"):
        yield problem(
            "FLOWCHAT_STRIPE_API_KEY is a publishable key.", "Use the secret one (sk_…), or a restricted one."
        )
    elif "_live_" in key and not is_stripe:
        told = f"A live key of Stripe's goes to {settings.stripe_api_base}, which is not Stripe."
        yield problem(told, "Leave FLOWCHAT_STRIPE_API_BASE out, or use a test key.")
    elif "_test_" in key and is_stripe and settings.public_url.startswith("https:"):
        yield warning("Stripe's key is one for tests: nobody is charged.", "Use the live key when you are ready.")
    if not settings.stripe_webhook_secret:
        told = "FLOWCHAT_STRIPE_WEBHOOK_SECRET is empty: what happens at Stripe is only looked up once a day."
        yield warning(told, "Run `flowchat billing setup`, which shows it.")


def _generator(settings: Settings) -> Iterator[Finding]:
    is_remote = settings.generator.startswith("openai:")
    url = urlsplit(settings.generator.partition("@")[2])
    if settings.generator_api_key and not is_remote:
        yield warning("FLOWCHAT_GENERATOR_API_KEY is set, but the generator is no server.", "Leave it out.")
    if settings.generator_api_key and url.scheme == "http" and not _is_local(url.hostname or ""):
        yield warning("The generator's API key goes over plain http.", "Use https, or a private network.")


def _threads(settings: Settings) -> Iterator[Finding]:
    cores = len(os.sched_getaffinity(0))
    if settings.threads > cores:
        told = f"FLOWCHAT_THREADS is {settings.threads}, with {cores} cores: models get slower by that."
        yield warning(told, "Leave it out.")


def unknown_variables(facts: Facts) -> Iterable[Finding]:
    known = {row.variable for row in describe(facts.settings)}
    unknown = [name for name in sorted(facts.environ) if name.startswith(PREFIX) and not name.startswith(_NO_SETTINGS)]
    misspelt = [name for name in unknown if name not in known]
    if not misspelt:
        return [ok("none")]
    todo = "Look for a typing error: `flowchat settings` lists them all."
    return [warning(f"{name} is no setting of FlowChat.", todo) for name in misspelt]


def port(facts: Facts) -> Iterable[Finding]:
    settings = facts.settings
    if facts.holder is not None and facts.is_running:
        pid, url = facts.holder
        yield ok(f"FlowChat serves {url} (process {pid})")
        return
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    with socket.socket(family) as tried:
        tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            tried.bind((settings.host, settings.port))
        except OSError as error:
            is_taken = error.errno == errno.EADDRINUSE
            why = "is used by another program" if is_taken else f"can't be listened on: {error.strerror}"
            yield problem(f"Port {settings.port} on {settings.host} {why}.", "Stop that, or set FLOWCHAT_PORT.")
        else:
            yield ok(f"{settings.host}:{settings.port} is free; FlowChat does not run")
