"""`flowchat serve` with small fake models: `python tests/serve_fakes.py`, with settings from the environment.

FAKE_PAUSE_S: how long the generator takes for each of its words.
"""

import os

from fakes import FakeGenerator, fake_engines

from flowchat import app, settings
from flowchat.cli.system import log_to_stderr
from flowchat.engines import load


def main() -> None:
    generator = FakeGenerator(lambda messages: "I can't say more.", float(os.environ.get("FAKE_PAUSE_S", "0")))
    generator.is_remote = True  # it takes no cores, so that it writes whoever else asks
    load.load_engines = lambda *_: fake_engines(generator)
    told = settings.load()
    log_to_stderr(told)
    app.serve(told, lambda _: None, lambda text: print(text, flush=True))


if __name__ == "__main__":
    main()
