"""The small demo model: asks whether to fetch it, and fetches it with a bar."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from ..errors import UsageError
from ..providers.local.model_files import DEMO_BYTES, DEMO_LICENCE, DEMO_MODEL, PACKAGE_BYTES

FETCH_QUESTION = (
    f"Fetch {DEMO_MODEL} ({DEMO_BYTES // 10**6} MB, {DEMO_LICENCE}), a small demo model?"
)

ENGINE_INSTALL_COMMAND = "pip install 'easyllm-cli[local]'"


def confirm(question: str) -> bool:
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


def fetch_demo_model(quiet: bool) -> Path:
    """The demo model's file, fetched with a bar on a terminal.

    Raises:
        EasyLLMError: as fetch_demo; Interrupted after Ctrl-C or SIGTERM, with nothing left behind.
    """
    from ..providers.local.download import download_demo_model
    from ..render.output import print_notice
    from . import runtime

    found: list[Path] = []

    def waiting() -> None:
        if not quiet:
            print_notice("easyllm: another pull is under way: waiting for it")

    with progress_bar(quiet) as tell:

        async def work() -> None:
            found.append(await download_demo_model(tell, waiting))

        error = runtime.run_cancellable(work(), None, lambda: False)
    if error is not None:
        raise error
    return found[0]


@contextmanager
def progress_bar(quiet: bool) -> Iterator[Callable[[int], None]]:
    """Shows how much has come: a bar on a terminal, nothing elsewhere."""
    from ..render.options import is_terminal

    if quiet or not is_terminal(2):
        yield lambda _: None
        return
    from ..render.progress import ProgressBar

    with ProgressBar(f"Fetching {DEMO_MODEL}", PACKAGE_BYTES) as drawn:
        yield drawn.show
