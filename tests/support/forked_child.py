"""A child that has every open file of this process, for as long as a test needs it."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def forked_child(run: Callable[[], object] = lambda: None) -> Iterator[None]:
    """Fork a child that runs a function at once, and lives while the block runs."""
    ready, begun = os.pipe()
    end, stop = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(stop)
        try:
            run()
        finally:
            os.write(begun, b".")
            os.read(end, 1)
            os._exit(0)
    os.read(ready, 1)
    try:
        yield
    finally:
        for descriptor in (ready, begun, end, stop):
            os.close(descriptor)
        os.waitpid(child, 0)
