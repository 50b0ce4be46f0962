"""`flowchat serve` without models, to be killed: `python -m flowchat.evaluation.faults.process`.

Settings come from the environment. Prints `imported` before it begins, then what `flowchat serve` prints.
AHEAD_S: how far its calendar runs ahead.
"""

import os

from flowchat import app, settings
from flowchat.engines import load
from flowchat.engines.protocols import Engines
from flowchat.evaluation.appliance import DIMS, WordEmbedder
from flowchat.evaluation.simulated_time import run_ahead
from flowchat.evaluation.word_models import WordReranker, WordVerifier


def main() -> None:
    os.umask(0o077)
    print("imported", flush=True)
    if ahead_s := float(os.environ.get("AHEAD_S", "0")):
        run_ahead(ahead_s)
    load.load_engines = lambda *_: Engines(WordEmbedder(DIMS), WordReranker(), WordVerifier(), None)
    app.serve(settings.load(), lambda _: None, lambda text: print(text, flush=True))


if __name__ == "__main__":
    main()
