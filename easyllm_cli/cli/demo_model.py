"""Fetches the small demo model, after a question and with a progress bar."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from ..errors import UsageError
from ..providers.local.model_files import DEMO_BYTES, DEMO_LICENCE, DEMO_MODEL, PACKAGE_BYTES

FETCH_QUESTION = (
    f"Fetch {DEMO_MODEL} ({DEMO_BYTES // 10**6} MB, {DEMO_LICENCE}), a small demo model?"
)


def format_engine_install_command() -> str:
    """The command that installs the engine of the demo model here."""
    from ..installation import format_install_command

    return format_install_command("local")


def confirm(question: str) -> bool:
    """Ask a yes/no question on the terminal; Enter alone means yes.

    Raises:
        UsageError: there is no terminal.
    """
    from ..render.options import is_terminal

    if not is_terminal(0) or not is_terminal(2):
        raise UsageError(
            "cannot ask for confirmation", where="no terminal", hint="easyllm pull --yes"
        )
    sys.stderr.write(f"{question} [Y/n] ")
    sys.stderr.flush()
    answer = ""
    try:
        answer = sys.stdin.readline()
    finally:
        if not answer:  # Ctrl-D and Ctrl-C leave the cursor after the question
            sys.stderr.write("\n")
    return bool(answer) and answer.strip().lower() in ("", "y", "yes")


def fetch_demo_model(quiet: bool) -> Path:
    """Fetch the demo model, with a progress bar on a terminal; returns its file.

    Raises:
        EasyLLMError: as download_demo_model. Interrupted: Ctrl-C or SIGTERM; leaves no files.
    """
    from ..providers.local.download import download_demo_model
    from ..render.output import print_notice
    from . import runtime

    paths: list[Path] = []

    def on_wait() -> None:
        if not quiet:
            print_notice("easyllm: another pull is under way: waiting for it")

    with progress_bar(quiet) as show_progress:

        async def download() -> None:
            paths.append(await download_demo_model(show_progress, on_wait))

        error = runtime.run_cancellable(download(), None, lambda: False)
    if error is not None:
        raise error
    return paths[0]


@contextmanager
def progress_bar(quiet: bool) -> Iterator[Callable[[int], None]]:
    """A callback for the bytes fetched so far; draws a bar on a terminal, else nothing."""
    from ..render.options import is_terminal

    if quiet or not is_terminal(2):
        yield lambda _: None
        return
    from ..render.progress import ProgressBar

    with ProgressBar(f"Fetching {DEMO_MODEL}", PACKAGE_BYTES) as bar:
        yield bar.show
