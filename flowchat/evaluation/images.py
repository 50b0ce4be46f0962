"""FlowChat's images, built from the checkout by buildah, which needs no engine, on a base that debootstrap makes.

Packages come from where this machine gets its own: apt's and pip's settings and extra certificates are taken along.
"""

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import flowchat
from flowchat.errors import FlowChatError

SUITE = "bookworm"  # the Containerfile's own base is Debian's image of it
CHECKOUT = Path(flowchat.__file__).resolve().parent.parent
TOOLS = ("buildah", "debootstrap", "unshare")
MIRROR = "http://deb.debian.org/debian/"
CERTIFICATES = Path("/usr/local/share/ca-certificates")
# Debian's slim image goes without these, too.
LEFT_OUT = "usr/share/doc usr/share/info usr/share/locale usr/share/man var/cache/apt var/lib/apt/lists var/log".split()
_PIP_OPTIONS = re.compile(r"^[^.]+\.(index-url|extra-index-url|proxy|trusted-host)='(?!file:)(.*)'$", re.MULTILINE)


def why_not() -> str:
    """Why no image can be built here; '' where it can."""
    missing = [tool for tool in TOOLS if not shutil.which(tool)]
    if missing:
        return f"images are built with {', '.join(missing)}, missing here: as root, apt-get install buildah debootstrap"
    if not (CHECKOUT / "Containerfile").is_file():
        return "images are built from a checkout, and this is none"
    if os.geteuid() != 0 or subprocess.run(["unshare", "--mount", "true"], capture_output=True, check=False).returncode:
        return "images are built as root, with the right to mount"
    return ""


@dataclass(frozen=True, slots=True)
class Builder:
    """Builds into a storage of its own."""

    base: str
    pip_conf: Path
    storage: tuple[str, ...]

    def build(self, name: str, *options: str) -> str:
        """Of the Containerfile, with further options of `buildah bud`. Returns the image's name."""
        # Without overlays a layer is a whole copy of the files below it.
        layers = "--layers=false" if "vfs" in self.storage else "--layers=true"
        options = ("--format", "docker", "--network", "host", layers, "--build-arg", f"BASE={self.base}", *options)
        self.run("bud", *options, "--volume", f"{self.pip_conf}:/etc/pip.conf:ro", "--tag", name, str(CHECKOUT))
        return name

    def config(self, image: str) -> dict[str, Any]:
        """User, entry point, health check, …"""
        config: dict[str, Any] = json.loads(self.run("inspect", "--type", "image", image))["Docker"]["config"]
        return config

    def run(self, command: str, *arguments: str) -> str:
        """What buildah prints. Raises FlowChatError `buildah_failed`."""
        return _run(["buildah", *self.storage, command, *arguments], "buildah_failed")

    def command(self, *arguments: str) -> list[str]:
        """To be run by the caller."""
        return ["buildah", *self.storage, *arguments]


@contextmanager
def builder(suite: str = SUITE) -> Iterator[Builder]:
    """With a fresh base of that release of Debian. Raises FlowChatError `no_debian` where that can't be fetched."""
    with TemporaryDirectory(prefix="flowchat-images-") as name:
        folder = Path(name)
        pip_conf = folder / "pip.conf"
        pip_conf.write_text(_pip_conf())
        made = Builder("localhost/base", pip_conf, _storage(folder))
        try:
            _make_base(made, suite, folder / "base")
            yield made
        finally:
            made.run("rm", "--all")
            made.run("rmi", "--all", "--force")


def _storage(folder: Path) -> tuple[str, ...]:
    """Overlays where the folder's file system can hold them, else copies."""
    own = ("--root", str(folder / "storage"), "--runroot", str(folder / "run"))
    probe = ["buildah", *own, "from", "scratch"]
    can_overlay = subprocess.run(probe, capture_output=True, check=False, env=_environ()).returncode == 0
    return own if can_overlay else (*own, "--storage-driver", "vfs")


def _make_base(builder: Builder, suite: str, root: Path) -> None:
    _run(["debootstrap", "--variant=minbase", suite, str(root), _mirror(suite)], "no_debian")
    for path in LEFT_OUT:
        for left in (root / path).iterdir() if (root / path).is_dir() else ():
            shutil.rmtree(left) if left.is_dir() else left.unlink()
    apt = _run(["apt-config", "dump"], "no_debian")
    told = "".join(line for line in apt.splitlines(keepends=True) if line.startswith("Acquire"))
    (root / "etc/apt/apt.conf.d/90-as-outside").write_text(told)
    if CERTIFICATES.is_dir():
        shutil.copytree(CERTIFICATES, root / CERTIFICATES.relative_to("/"), dirs_exist_ok=True)
    container = builder.run("from", "scratch").strip()
    builder.run("add", "--quiet", container, str(root), "/")
    builder.run("commit", "--quiet", "--rm", container, builder.base)
    shutil.rmtree(root)


def _mirror(suite: str) -> str:
    """Where this machine has its own packages from, if it is one of that release."""
    told = _run(["apt-get", "indextargets", "--format", "$(CODENAME) $(COMPONENT) $(REPO_URI)"], "no_debian")
    known = dict(line.rsplit(" ", 1) for line in reversed(told.splitlines()) if line.count(" ") == 2)
    return known.get(f"{suite} main", MIRROR)


def _pip_conf() -> str:
    """Without the certificates' place: that is the image's own."""
    told = _run(["python3", "-m", "pip", "config", "list"], "no_pip") if shutil.which("pip") else ""
    options = {name: value.replace("\\n", " ") for name, value in _PIP_OPTIONS.findall(told)}
    options["cert"] = "/etc/ssl/certs/ca-certificates.crt"
    return "[global]\n" + "".join(f"{name} = {value}\n" for name, value in options.items())


def _run(command: list[str], code: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=_environ())
    if done.returncode:
        ending = (done.stdout + done.stderr).strip()[-2000:]
        raise FlowChatError(code, f"'{' '.join(command[:8])} …' has failed: {ending}")
    return done.stdout


def _environ() -> dict[str, str]:
    return {**os.environ, "BUILDAH_ISOLATION": "chroot", "LC_ALL": "C.UTF-8"}
