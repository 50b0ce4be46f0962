"""A container of FlowChat as an engine would run it, started by `buildah run`: a read-only root, its data in a volume.

There is no network or process of its own: only the file system is another one (chroot isolation).
"""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flowchat.evaluation.images import Builder
from flowchat.evaluation.memory import Limit
from flowchat.evaluation.processes import Running, exit_code, starting, telling

DATA, TMP = "/data", "/tmp"  # noqa: S108 (the folders that a container with a read-only root can write to)


@dataclass(frozen=True, slots=True)
class Container:
    """One container of an image, of which it has its `config`; `data` is its volume, `log` what it logs."""

    builder: Builder
    name: str
    root: Path
    data: Path
    tmp: Path
    log: Path
    config: dict[str, Any]

    @contextmanager
    def serving(self, limit: Limit | None = None, **settings: str) -> Iterator[Running]:
        """`settings` as in `port="8080"`. Killed in the end unless it has ended."""
        with self.starting(limit, **settings) as running:
            running.read_until_ready()
            yield running

    @contextmanager
    def starting(self, limit: Limit | None = None, **settings: str) -> Iterator[Running]:
        """As `serving`, without waiting until it is ready."""
        command = self._run([*self.config["Entrypoint"], *self.config["Cmd"]], settings)
        with self.log.open("a") as log, starting([*(limit.prefix() if limit else []), *command], log) as running:
            yield running

    def run(self, *command: str, **settings: str) -> subprocess.CompletedProcess[str]:
        """A command beside it, as by `podman exec`."""
        done = subprocess.run(self._run(command, settings), capture_output=True, text=True, check=False)
        told = done.stdout.partition("\n")[2].rpartition("ended with ")[0]
        log = done.stderr.partition("panic: ")[0]  # buildah 1.28 stumbles over a root in which it can't tidy up
        return subprocess.CompletedProcess(command, exit_code(done.stdout), told, log)

    def _run(self, command: tuple[str, ...] | list[str], settings: dict[str, str]) -> list[str]:
        volumes = [f"--volume={self.data}:{DATA}", f"--volume={self.tmp}:{TMP}"]
        volumes.append(f"--volume={self.builder.pip_conf}:/etc/pip.conf:ro")
        environ = [f"--env=FLOWCHAT_{name.upper()}={value}" for name, value in settings.items()]
        options = ["--isolation=chroot", "--network=host", *volumes, *environ]
        return self.builder.command("run", *options, self.name, "--", *telling(command))


@contextmanager
def container(builder: Builder, image: str, folder: Path) -> Iterator[Container]:
    """A new container, its volume as the image has it. `folder` is for the volume and for /tmp."""
    name = builder.run("from", image).strip()
    # Else it mounts a volume of its own over ours, or ours over that: which one comes last is chance in buildah 1.28.
    builder.run("config", "--volume=-", name)
    root = Path(builder.run("mount", name).strip())
    for made_by_buildah in ("run/.containerenv", "etc/pip.conf"):
        (root / made_by_buildah).touch()  # it can't once the root is read-only
    subprocess.run(["mount", "--bind", root, root], check=True)
    try:
        subprocess.run(["mount", "-o", "remount,bind,ro", root], check=True)
        data, tmp = folder / "data", folder / "tmp"
        tmp.mkdir(parents=True)
        tmp.chmod(0o1777)
        shutil.copytree(root / "data", data)
        owner = (root / "data").stat()
        os.chown(data, owner.st_uid, owner.st_gid)
        yield Container(builder, name, root, data, tmp, folder / "log.txt", builder.config(image))
    finally:
        subprocess.run(["umount", root], check=True)
        builder.run("umount", name)
        builder.run("rm", name)
