"""An auto profile on the command line: chooses its candidate for one request, and explains it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ..config.profile import Profile
from ..errors import EasyLLMError
from ..messages import Message
from ..routing import Route, choose_route
from .answer_history import AnswerHistory
from .request import AnswerRequest

if TYPE_CHECKING:
    from ..recordings.file import Recording


def choose_candidate(
    request: AnswerRequest,
    history: AnswerHistory,
    auto: Profile,
    candidates: Sequence[Profile],
    messages: Sequence[Message],
) -> Route:
    """Choose among the candidates; with --explain, or if nobody can be asked, print the table.

    With --explain and --dry-run the table is all that is printed, on stdout.
    Raises:
        EasyLLMError: as `require_candidate` of the route, and as `choose_route`.
    """
    run = request.run
    route = choose_route(
        auto, candidates, messages, kept=history.kept_candidate(),
        recording=_open_recording(request.cache.replay), with_estimates=run.explain,
    )  # fmt: skip
    if run.explain and not run.dry_run:
        print_route(route, 2)
    try:
        route.require_candidate()
    except EasyLLMError:
        if not run.explain and not request.common.quiet:
            print_route(route, 2)
        raise
    history.use_candidate(route.profiles[0])
    return route


def print_route(route: Route, descriptor: int) -> None:
    """Print the task and the table of the candidates on stdout or stderr.

    Raises:
        OutputError: stdout cannot be written.
    """
    from ..render.options import terminal_size
    from ..render.output import OutputStream, print_notice
    from ..render.route_table import lay_out_route
    from ..render.spans import text_from_row

    rows = lay_out_route(route.to_json(), terminal_size(descriptor)[0])
    lines = [text_from_row(row) for row in rows]
    if descriptor == 1:
        OutputStream(1, terminal=False).write("".join(f"{line}\n" for line in lines))
    else:
        for line in lines:
            print_notice(line, wraps=False)


def _open_recording(replay: str | None) -> Recording | None:
    """What --replay answers from. Raises UsageError if there is no such file."""
    if replay is None:
        return None
    from ..recordings import Recordings

    return Recordings(None, None, replay).recording
