"""Serving, and leaving nothing behind."""

import asyncio
import os
import shutil
import signal
import sys
import threading

from hypercorn.asyncio import serve as hypercorn_serve
from hypercorn.config import Config
from ministack import app as ministack
from ministack.core import lambda_runtime

from . import additions


# The harness tries another port on this code.
EXIT_PORT_TAKEN = 3


def serve(port: int, directory: str | None, *, minute: float, watch_stdin: bool) -> None:
    """Serve until a signal, or until standard input ends when it is watched; `directory` goes with it."""
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda *_: _stop(directory))
    if watch_stdin:
        threading.Thread(target=_stop_at_end_of_input, args=(directory,), daemon=True, name="watch-stdin").start()
    additions.register(minute)
    config = Config()
    config.bind = [f"127.0.0.1:{port}"]
    config.keep_alive_timeout = 75
    config.loglevel = os.environ["LOG_LEVEL"].upper()
    try:
        asyncio.run(hypercorn_serve(ministack.app, config, shutdown_trigger=asyncio.Event().wait))
    except OSError as error:
        print(f"local_aws: 127.0.0.1:{port} can't be served: {error}", file=sys.stderr)
        raise SystemExit(EXIT_PORT_TAKEN) from error


def _stop_at_end_of_input(directory: str | None) -> None:
    # The other end is held by the process that started this one: its end, however it came, ends the pipe.
    while os.read(sys.stdin.fileno(), 4096):
        pass
    _stop(directory)


def _stop(directory: str | None) -> None:
    """End the functions' processes and this one, at once: there is no state to save."""
    try:
        lambda_runtime.reset()
        if directory:
            shutil.rmtree(directory, ignore_errors=True)
    finally:
        os._exit(0)
