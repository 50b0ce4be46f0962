"""llama.cpp's own HTTP server with its defaults, to compare with: `python -m flowchat.engines.llama_server`.

Arguments: the model's file, threads, port. It serves until its standard input ends.
"""

import sys

import xllamacpp

CONTEXT_TOKENS = 8192
SLOTS = 4


def main(model: str, threads: int, port: int) -> None:
    params = xllamacpp.CommonParams()
    params.model.path = model
    params.n_ctx = CONTEXT_TOKENS
    params.n_parallel = SLOTS
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = threads
    params.hostnames = ["127.0.0.1"]
    params.port = port
    params.verbosity = -1
    server = xllamacpp.Server(params)
    print(server.listening_address, flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
