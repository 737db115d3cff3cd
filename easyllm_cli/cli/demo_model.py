"""The small demo model: asks whether to fetch it, and fetches it with a bar."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from ..errors import UsageError
from ..providers.local.model_files import DEMO, DEMO_BYTES, DEMO_LICENCE, PACKAGE_BYTES

QUESTION = f"Fetch {DEMO} ({DEMO_BYTES // 10**6} MB, {DEMO_LICENCE}), a small demo model?"

ENGINE = "pip install 'easyllm-cli[local]'"


def agreed(question: str) -> bool:
    """What the person at the terminal says to a question; enter alone is yes.

    Raises:
        UsageError: there is no terminal to ask at.
    """
    from ..render.options import is_terminal

    if not is_terminal(0) or not is_terminal(2):
        raise UsageError("there is nobody to ask", where="no terminal", hint="easyllm pull --yes")
    sys.stderr.write(f"{question} [Y/n] ")
    sys.stderr.flush()
    answer = ""
    try:
        answer = sys.stdin.readline()
    finally:
        if not answer:  # Ctrl-D and Ctrl-C leave the cursor behind the question
            sys.stderr.write("\n")
    return bool(answer) and answer.strip().lower() in ("", "y", "yes")


def fetched(quiet: bool) -> Path:
    """The demo model's file, fetched with a bar on a terminal.

    Raises:
        EasyLLMError: as fetch_demo; Interrupted after Ctrl-C or SIGTERM, with nothing left behind.
    """
    from ..providers.local.download import fetch_demo
    from ..render.output import complain
    from . import runtime

    found: list[Path] = []

    def waiting() -> None:
        if not quiet:
            complain("easyllm: another pull is under way: waiting for it")

    with bar(quiet) as tell:

        async def work() -> None:
            found.append(await fetch_demo(tell, waiting))

        error = runtime.run(work(), None, lambda: False)
    if error is not None:
        raise error
    return found[0]


@contextmanager
def bar(quiet: bool) -> Iterator[Callable[[int], None]]:
    """Shows how much has come: a bar on a terminal, nothing elsewhere."""
    from ..render.options import is_terminal

    if quiet or not is_terminal(2):
        yield lambda _: None
        return
    from ..render.progress import Bar

    with Bar(f"Fetching {DEMO}", PACKAGE_BYTES) as drawn:
        yield drawn.show
