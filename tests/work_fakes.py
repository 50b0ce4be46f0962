"""`flowchat worker` with a small fake model: `python tests/work_fakes.py`, with settings from the environment."""

from fakes import FakeEmbedder

from flowchat import settings, worker_process
from flowchat.engines import load


def main() -> None:
    load.load_embedder = lambda _: FakeEmbedder()
    worker_process.work(settings.load(), 1, lambda text: print(text, flush=True))


if __name__ == "__main__":
    main()
