"""Each thing that can be wrong with a machine or its settings, and what the doctor says of it."""

from dataclasses import replace
from typing import Any

import pytest

from flowchat.services.doctor import CHECKS, Facts
from flowchat.services.doctor.findings import Machine
from flowchat.settings import Settings

GOOD = Machine(
    python="3.11.2",
    sqlite="3.53.4",
    architecture="x86_64",
    cores=2,
    cpu_flags=frozenset({"sse4_2", "avx2"}),
    memory_bytes=4_000_000_000,
    open_files=20_000,
    is_clock_synchronised=True,
    mounts=(("/", "ext4"),),
)
MAIL = {"smtp_url": "smtp://mail.example:25", "mail_from": "chat@shop.example"}
HTTPS = {"public_url": "https://chat.shop.example", "trusted_proxies": ("127.0.0.1",)}


def found(check: str, machine: Machine = GOOD, environ: dict[str, str] | None = None, **settings: Any) -> list[str]:
    """ "state told → todo" of each finding."""
    facts = Facts(Settings(**settings), None, environ or {}, machine)
    return [f"{finding.state} {finding.told} → {finding.todo}" for finding in CHECKS[check](facts)]


@pytest.mark.parametrize("check", ["python", "sqlite", "processor", "memory", "clock", "open files", "settings"])
def test_a_good_machine_is_good(check: str) -> None:
    assert [text.split()[0] for text in found(check)] == ["ok"]


@pytest.mark.parametrize(
    ("check", "change", "told"),
    [
        ("python", {"python": "3.10.1"}, "problem Python 3.10.1 is too old"),
        ("python", {"architecture": "aarch64"}, "problem Python 3.11.2 on aarch64"),
        ("sqlite", {"sqlite": "3.40.1"}, "problem SQLite 3.40.1 has a bug"),
        ("processor", {"cpu_flags": frozenset({"sse2"})}, "warning The processor has no AVX2"),
        ("processor", {"cores": 1}, "warning One core"),
        ("memory", {"memory_bytes": 900_000_000}, "problem 900 MB; FlowChat with these models takes about 1.3 GB"),
        ("memory", {"memory_bytes": 1_400_000_000}, "warning 1.4 GB"),
        ("clock", {"is_clock_synchronised": False}, "warning The clock is not synchronised"),
        ("clock", {"is_clock_synchronised": None}, "ok can't be looked at"),
        ("open files", {"open_files": 256}, "problem Only 256"),
        ("open files", {"open_files": 1024}, "warning 1024"),
        ("open files", {"open_files": -1}, "ok no limit"),
    ],
)
def test_what_is_wrong_with_a_machine(check: str, change: dict[str, Any], told: str) -> None:
    (finding,) = found(check, replace(GOOD, **change))
    assert finding.startswith(told)
    assert finding.startswith("ok") or len(finding.partition("→ ")[2]) > 10, "it says what to do"


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"public_url": "chat.shop.example"}, "problem FLOWCHAT_PUBLIC_URL is no address"),
        ({"public_url": "http://chat.shop.example"}, "warning FLOWCHAT_PUBLIC_URL is not https"),
        ({"public_url": "https://chat.shop.example"}, "warning FLOWCHAT_TRUSTED_PROXIES is empty"),
        ({"host": "0.0.0.0"}, "warning FlowChat listens on 0.0.0.0"),
        ({"trusted_proxies": ("0.0.0.0/0",)}, "problem FLOWCHAT_TRUSTED_PROXIES believes everybody"),
        ({"trusted_proxies": ("nginx",)}, "problem FLOWCHAT_TRUSTED_PROXIES: 'nginx' is no address"),
        ({"smtp_url": "smtp://mail.example"}, "problem FLOWCHAT_MAIL_FROM must be an address"),
        ({"mail_from": "chat@shop.example"}, "warning FLOWCHAT_MAIL_FROM is set, but no mail server"),
        ({"signup": "open"}, "warning Signing up is possible, but no e-mail"),
        ({"stripe_webhook_secret": "whsec_x"}, "warning FLOWCHAT_STRIPE_WEBHOOK_SECRET is set, but no key"),
        ({"stripe_api_key": "pk_live_x", "stripe_webhook_secret": "x"}, "problem FLOWCHAT_STRIPE_API_KEY is a publish"),
        ({"stripe_api_key": "sk_live_x"}, "warning FLOWCHAT_STRIPE_WEBHOOK_SECRET is empty"),
        (
            {"stripe_api_key": "sk_live_x", "stripe_webhook_secret": "x", "stripe_api_base": "http://127.0.0.1:9"},
            "problem A live key of Stripe's goes to http://127.0.0.1:9",
        ),
        (
            {"stripe_api_key": "sk_test_x", "stripe_webhook_secret": "x", **HTTPS},
            "warning Stripe's key is one for tests",
        ),
        ({"generator_api_key": "x"}, "warning FLOWCHAT_GENERATOR_API_KEY is set, but the generator is no server"),
        (
            {"generator_api_key": "x", "generator": "openai:m@http://10.0.0.9/v1"},
            "warning The generator's API key goes",
        ),
        ({"threads": 100_000}, "warning FLOWCHAT_THREADS is 100000"),
    ],
)
def test_settings_that_contradict_each_other(settings: dict[str, Any], told: str) -> None:
    (finding,) = found("settings", **settings)
    assert finding.startswith(told) and len(finding.partition("→ ")[2]) > 10


@pytest.mark.parametrize(
    "settings",
    [
        {"public_url": "http://localhost:8080"},
        {**HTTPS, **MAIL, "signup": "open"},
        {"stripe_api_key": "sk_live_x", "stripe_webhook_secret": "x", **HTTPS},
        {"stripe_api_key": "sk_test_x", "stripe_webhook_secret": "x", "stripe_api_base": "http://127.0.0.1:9"},
        {"generator_api_key": "x", "generator": "openai:m@https://models.example/v1"},
    ],
)
def test_settings_that_fit_each_other(settings: dict[str, Any]) -> None:
    assert found("settings", **settings) == ["ok nothing contradicts itself → "]


def test_misspelt_settings() -> None:
    environ = {"FLOWCHAT_PUBLIK_URL": "x", "FLOWCHAT_PORT": "1", "FLOWCHAT_TEST_DATA": "x", "PATH": "x"}
    (finding,) = found("unknown settings", environ=environ)
    assert finding.startswith("warning FLOWCHAT_PUBLIK_URL is no setting")


def test_this_machine_can_be_looked_at() -> None:
    here = Machine.here()
    assert here.cores >= 1 and here.memory_bytes > 0 and here.mounts and here.python.startswith("3.")
