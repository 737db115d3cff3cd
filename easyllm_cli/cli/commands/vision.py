"""`easyllm vision`: ask about pictures."""

from itertools import takewhile
from typing import Annotated

import typer

from ...errors import UsageError
from ...images import Image
from ..options.groups import options
from ..options.input import Ask, Target
from ..options.output import Common, Show
from ..options.run import Run
from ..options.sampling import Sampling
from ..prompt import Stdin

Arguments = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="IMAGE... PROMPT", help="Pictures, then what to ask.", show_default=False
    ),
]


@options
def vision(
    target: Target,
    ask: Ask,
    sampling: Sampling,
    show: Show,
    common: Common,
    run: Run,
    arguments: Arguments = None,
) -> int:
    """Ask about pictures: paths, https URLs, or - for stdin; the last argument is the prompt.

    easyllm vision before.png after.png "What changed?"
    """
    from ..answer import answer
    from ..named_files import expanded
    from ..request import Question

    source = Stdin(ask.no_stdin, common.quiet, common.timeout)
    refuse_files_behind_the_prompt(arguments or [], ask)
    names, prompt = split(arguments or [], source, bool(ask.file or ask.messages))
    names = expanded(names)
    pictures = tuple(
        source.picture() if name == "-" else Image.of(name, paths=True) for name in names
    )
    words = [prompt] if prompt else []
    question = Question(words, target, ask, sampling, show, common, run, "vision")
    question.pictures = pictures
    question.source = source
    if not (common.quiet or common.json or show.jsonl or run.dry_run):
        name_pictures(pictures)
    return answer(question)


def name_pictures(pictures: tuple[Image, ...]) -> None:
    """A line for each picture above the answer, where somebody watches."""
    from ...render.options import is_terminal
    from ...render.output import complain

    if is_terminal(2):
        for picture in pictures:
            complain(described(picture))


def split(arguments: list[str], source: Stdin, asked: bool) -> tuple[list[str], str]:
    """Pictures and prompt. One argument is the picture, when the prompt comes on stdin.

    `asked`: a file or a message list says what to do.

    Raises:
        UsageError: no picture, or the last argument is a file and so no prompt.
    """
    if not arguments:
        raise UsageError("no picture", hint='easyllm vision img.jpg "describe"')
    last = arguments[-1]
    if len(arguments) == 1:
        if asked or (last != "-" and source.given(forced=False)):
            return arguments, ""
        raise UsageError("no prompt", where=last, hint=f'easyllm vision {last} "describe"')
    from ..named_files import is_file

    if is_file(last):
        raise UsageError(
            "no prompt: the last argument is a file", where=last, hint='add e.g. "describe"'
        )
    return arguments[:-1], last


def refuse_files_behind_the_prompt(arguments: list[str], ask: Ask) -> None:
    """`vision img.png "compare" -a *.png`: what the shell made of the pattern ends as arguments.

    Raises:
        UsageError: -f or -a is given, and the last argument is a file behind the prompt.
    """
    from ..named_files import is_file, may_be_image, refuse_files_among

    if arguments and is_file(arguments[-1]):
        images = list(takewhile(may_be_image, arguments))
        refuse_files_among(arguments[len(images) :], ask, "vision", images)


def described(image: Image) -> str:
    """`red.png: PNG, 32 × 32, 98 bytes`; an https URL alone, whose picture nobody has read."""
    from ...image_header import pixels

    if image.url:
        return image.url
    kind = image.media_type.partition("/")[2].upper()
    size = pixels(image.data)
    shown = [kind, f"{size[0]} × {size[1]}" if size else "", amount(len(image.data))]
    return f"{image.name}: {', '.join(part for part in shown if part)}"


def amount(count: int) -> str:
    """Bytes for people."""
    if count < 1000:
        return f"{count} bytes"
    return f"{count / 1000:.1f} kB" if count < 1_000_000 else f"{count / 1_000_000:.1f} MB"
