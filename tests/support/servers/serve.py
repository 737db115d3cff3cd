"""Serves a real model, or Ollama's protocol in front of one, for as long as its parent lives.

    serve.py model MODEL.gguf --alias NAME [--template-file F] [--grammar-file F] ...
    serve.py ollama http://127.0.0.1:PORT --model local/NAME

Prints one line, `READY http://127.0.0.1:PORT`, on stdout; everything else goes to stderr. Ends when
stdin ends, when the parent is gone, or after half an hour. The first form runs llama.cpp's server
from the xllamacpp wheel, the second runs ollama-proxy-plus.
"""

import argparse
import os
import select
import socket
import threading
import time
from pathlib import Path

HOST = "127.0.0.1"
LIFETIME_SECONDS = 1_800
CONTEXT_TOKENS = 1_024  # shared by the slots
SLOTS = 2
THREADS = 1  # two threads on a busy two-core machine are five times slower than one
REASONING_FORMATS = ("none", "auto", "deepseek")


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    kinds = parser.add_subparsers(dest="kind", required=True)
    model = kinds.add_parser("model")
    model.add_argument("gguf", type=Path)
    model.add_argument("--alias", required=True)
    model.add_argument("--template-file", type=Path)
    model.add_argument("--grammar-file", type=Path, help="a request's own grammar wins")
    model.add_argument("--reasoning", choices=REASONING_FORMATS)
    model.add_argument("--mmproj", type=Path)
    ollama = kinds.add_parser("ollama")
    ollama.add_argument("upstream", help="an OpenAI server's URL, without /v1")
    ollama.add_argument("--model", required=True, help="PREFIX/NAME")
    return parser.parse_args()


def watch_parent(parent: int, deadline: float) -> None:
    """End this process when stdin ends, the parent is gone, or the deadline has passed."""
    while time.monotonic() < deadline and os.getppid() == parent:
        readable, _, _ = select.select([0], [], [], 1.0)
        if readable and not os.read(0, 4_096):
            break
    os._exit(0)


def take_stdout() -> int:
    """Return the real stdout, for the READY line, and redirect other output to stderr."""
    ready = os.dup(1)
    os.dup2(2, 1)
    return ready


def announce(ready: int, url: str) -> None:
    os.write(ready, f"READY {url}\n".encode())
    os.close(ready)


def serve_model(options: argparse.Namespace, ready: int) -> None:
    import xllamacpp  # type: ignore[import-not-found, unused-ignore]

    params = xllamacpp.CommonParams()
    params.model.path = str(options.gguf)
    params.model_alias = {options.alias}
    params.hostnames = [HOST]
    params.port = 0
    params.ui = False
    params.warmup = False
    params.fit_params = False  # fitting to a GPU's memory loads the model once more
    params.verbosity = 1
    params.n_ctx = CONTEXT_TOKENS
    params.n_parallel = SLOTS
    params.cpuparams.n_threads = THREADS
    params.cpuparams_batch.n_threads = THREADS
    params.sampling.temp = 0.0
    if options.template_file:
        params.chat_template = options.template_file.read_text(encoding="utf-8")
    if options.grammar_file:
        grammar = params.sampling.grammar
        grammar.grammar = options.grammar_file.read_text(encoding="utf-8")
        grammar.type = xllamacpp.common_grammar_type.COMMON_GRAMMAR_TYPE_USER
        params.sampling.grammar = grammar
    if options.reasoning:
        name = f"COMMON_REASONING_FORMAT_{options.reasoning.upper()}"
        params.reasoning_format = getattr(xllamacpp.common_reasoning_format, name)
    if options.mmproj:
        params.mmproj.path = str(options.mmproj)
    server = xllamacpp.Server(params)
    announce(ready, server.listening_address)
    threading.Event().wait()


def serve_ollama(options: argparse.Namespace, ready: int) -> None:
    prefix, _, _ = options.model.partition("/")
    os.environ["PYTHON_DOTENV_DISABLED"] = "1"
    os.environ[f"PROVIDERS_{prefix.upper()}_API_KEY"] = "none"
    os.environ[f"PROVIDERS_{prefix.upper()}_BASE_URL"] = f"{options.upstream}/v1"

    import uvicorn  # type: ignore[import-not-found, unused-ignore]
    from ollama_proxy import config  # type: ignore[import-not-found, unused-ignore]

    config.PROVIDER_REGISTRY[:] = [options.model]  # by default it also lists forty cloud models

    from ollama_proxy.server import app  # type: ignore[import-not-found, unused-ignore]

    listener = socket.create_server((HOST, 0))
    announce(ready, f"http://{HOST}:{listener.getsockname()[1]}")
    uvicorn.Server(uvicorn.Config(app)).run(sockets=[listener])


def main() -> None:
    options = arguments()
    watched = (os.getppid(), time.monotonic() + LIFETIME_SECONDS)
    threading.Thread(target=watch_parent, args=watched, daemon=True).start()
    ready = take_stdout()
    if options.kind == "model":
        serve_model(options, ready)
    else:
        serve_ollama(options, ready)


if __name__ == "__main__":
    main()
