"""`easyllm vision`: sends images and a prompt, and prints the answer."""

from itertools import takewhile
from typing import Annotated

import typer

from ...errors import UsageError
from ...images import Image
from ..options.budget import BudgetOptions
from ..options.cache import CacheOptions
from ..options.common import CommonOptions
from ..options.groups import expand_option_groups
from ..options.history import HistoryOptions
from ..options.input import InputOptions, ModelOptions
from ..options.output import OutputOptions
from ..options.run import RunOptions
from ..options.sampling import SamplingOptions
from ..options.template import TemplateOptions
from ..stdin import Stdin

ImagesAndPrompt = Annotated[
    list[str] | None,
    typer.Argument(metavar="IMAGE... PROMPT", help="Images, then the prompt.", show_default=False),
]


@expand_option_groups
def vision(
    model: ModelOptions,
    input: InputOptions,
    sampling: SamplingOptions,
    output: OutputOptions,
    common: CommonOptions,
    run: RunOptions,
    history: HistoryOptions,
    cache: CacheOptions,
    budget: BudgetOptions,
    template: TemplateOptions,
    arguments: ImagesAndPrompt = None,
) -> int:
    """Ask about images: paths, https URLs, or - for stdin; the last argument is the prompt.

    easyllm vision img.jpg "describe"
    easyllm vision before.png after.png "What changed?"
    """
    from ..answer import answer_request
    from ..named_files import expand_patterns
    from ..request import AnswerRequest

    source = Stdin(input.no_stdin, common.quiet, common.timeout)
    refuse_files_behind_the_prompt(arguments or [], input)
    has_template = template.template is not None
    has_other_prompt = has_template or bool(input.file or input.messages)
    names, prompt = split_arguments(arguments or [], source, has_other_prompt, has_template)
    names = expand_patterns(names)
    images = tuple(
        source.read_image() if name == "-" else Image.of(name, paths=True) for name in names
    )
    words = [prompt] if prompt else []
    request = AnswerRequest(
        words, model, input, sampling, output, common, run, history, cache, budget, template,
        command="vision", images=images, stdin=source,
    )  # fmt: skip
    if not (common.quiet or common.json or output.jsonl or run.dry_run):
        print_image_descriptions(images)
    return answer_request(request)


def print_image_descriptions(images: tuple[Image, ...]) -> None:
    """Print a line for each image above the answer, if stderr is a terminal."""
    from ...render.options import is_terminal
    from ...render.output import print_notice

    if is_terminal(2):
        for image in images:
            print_notice(describe_image(image))


def split_arguments(
    arguments: list[str], source: Stdin, has_other_prompt: bool, has_template: bool = False
) -> tuple[list[str], str]:
    """Split the arguments into images and prompt; a single one is the image if stdin has text.

    `has_other_prompt`: a file or a message list contains the prompt.

    Raises:
        UsageError: there is no image, or the last argument is a file and so not a prompt.
    """
    if not arguments:
        raise UsageError("no image", hint='easyllm vision img.jpg "describe"')
    last = arguments[-1]
    if len(arguments) == 1:
        if has_other_prompt or (last != "-" and source.read_bytes(forced=False)):
            return arguments, ""
        raise UsageError("no prompt", where=last, hint=f'easyllm vision {last} "describe"')
    from ..named_files import is_file

    if has_template and is_file(last):
        return arguments, ""
    if is_file(last):
        raise UsageError(
            "no prompt: the last argument is a file", where=last, hint='add e.g. "describe"'
        )
    return arguments[:-1], last


def refuse_files_behind_the_prompt(arguments: list[str], input: InputOptions) -> None:
    """Refuse the files that the shell makes of `vision img.png "compare" -a *.png`.

    Raises:
        UsageError: -f or -a is used, and the last argument is a file after the prompt.
    """
    from ..named_files import is_file, may_be_image, refuse_files_among

    if arguments and is_file(arguments[-1]):
        images = list(takewhile(may_be_image, arguments))
        refuse_files_among(arguments[len(images) :], input, "vision", images)


def describe_image(image: Image) -> str:
    """`red.png: PNG, 32 × 32, 98 bytes`; only the URL for an https image, which is not read."""
    from ...image_header import read_dimensions
    from ..prompt_notes import format_bytes

    if image.url:
        return image.url
    kind = image.media_type.partition("/")[2].upper()
    size = read_dimensions(image.data)
    parts = [kind, f"{size[0]} × {size[1]}" if size else "", format_bytes(len(image.data))]
    return f"{image.name}: {', '.join(part for part in parts if part)}"
