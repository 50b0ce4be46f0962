"""What operators start from: the files agree with each other, with the settings that exist, and with the image."""

import re
from dataclasses import fields
from pathlib import Path

import pytest
import yaml

import flowchat
from flowchat import settings

FOLDER = Path(flowchat.__file__).parent / "assets/operating"
CONTAINERFILE = (FOLDER.parent.parent.parent / "Containerfile").read_text()
COMPOSE = yaml.safe_load((FOLDER / "compose.yaml").read_text())
FILES = sorted(path.name for path in FOLDER.iterdir())
KNOWN = {settings.PREFIX + field.name.upper() for field in fields(settings.Settings)}


@pytest.mark.parametrize("name", FILES)
def test_every_setting_that_is_named_exists(name: str) -> None:
    assert set(re.findall(r"FLOWCHAT_[A-Z_]+", (FOLDER / name).read_text())) <= KNOWN


def test_the_settings_are_read_as_they_stand() -> None:
    lines = [line.lstrip("#") for line in (FOLDER / "flowchat.env").read_text().splitlines()]
    told = dict(line.split("=", 1) for line in lines if line.startswith("FLOWCHAT_"))
    read = settings.load(told)
    assert read.public_url == "https://chat.example.com"
    assert {name for name, value in told.items() if value} >= {"FLOWCHAT_SMTP_URL", "FLOWCHAT_MAIL_FROM"}


def test_compose_runs_the_image_as_it_is_meant_to() -> None:
    service, caddy = COMPOSE["services"]["flowchat"], COMPOSE["services"]["caddy"]
    assert service["read_only"] and service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == caddy["security_opt"] == ["no-new-privileges:true"]
    assert service["volumes"] == [f"data:{re.findall('^VOLUME (.*)$', CONTAINERFILE, re.MULTILINE)[0]}"]
    assert service["expose"] == re.findall("^EXPOSE (.*)$", CONTAINERFILE, re.MULTILINE)
    assert caddy["environment"]["UPSTREAM"] == f"flowchat:{service['expose'][0]}"
    assert "ports" not in service  # the world reaches it through Caddy only
    assert set(COMPOSE["volumes"]) == {"data", "certificates"}


def test_only_caddy_is_believed() -> None:
    address = COMPOSE["services"]["caddy"]["networks"]["inside"]["ipv4_address"]
    assert COMPOSE["services"]["flowchat"]["environment"]["FLOWCHAT_TRUSTED_PROXIES"] == address


def test_caddy_takes_every_upload_that_flowchat_takes() -> None:
    told = re.findall(r"max_size (\d+)MB", (FOLDER / "Caddyfile").read_text())
    assert [int(megabytes) * 10**6 > settings.Settings().upload_max_bytes for megabytes in told] == [True]


def test_whatever_stops_it_waits_until_it_has_ended() -> None:
    unit = (FOLDER / "flowchat.service").read_text()
    graces = [*re.findall("^TimeoutStopSec=(.*)$", unit, re.MULTILINE)]
    graces += [COMPOSE["services"]["flowchat"]["stop_grace_period"].rstrip("s")]
    assert [int(grace) > 8 for grace in graces] == [True, True]
    assert "KillSignal=SIGTERM" in unit and "STOPSIGNAL SIGTERM" in CONTAINERFILE
