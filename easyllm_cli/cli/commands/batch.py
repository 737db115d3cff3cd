"""`easyllm batch`: asks for every row of a file, and continues after a crash."""

# No `from __future__ import annotations`: Typer needs the real types.
from typing import Annotated

import typer

from ..options.batch import BatchOptions
from ..options.common import CommonOptions, DebugOption, ListFormat
from ..options.groups import expand_option_groups
from ..options.input import ModelOptions
from ..options.sampling import SamplingOptions

Input = Annotated[
    str,
    typer.Argument(
        metavar="IN", help="Rows: .jsonl, .txt, .csv, .tsv, each also .gz; - is stdin.",
        show_default=False,
    ),
]  # fmt: skip
Output = Annotated[
    str, typer.Argument(metavar="OUT", help="The answers, one a line.", show_default=False)
]
Outputs = Annotated[
    list[str],
    typer.Argument(
        metavar="OUT... MERGED", help="Outputs of one batch, and the file to write.",
        show_default=False,
    ),
]  # fmt: skip
AllFailed = Annotated[
    bool, typer.Option("--all", help="All that failed, not only what may pass now.")
]
EventLines = Annotated[
    bool, typer.Option("--jsonl", help="Events on stdout, one JSON object a line.")
]


@expand_option_groups
def run_batch(
    model: ModelOptions,
    sampling: SamplingOptions,
    batch: BatchOptions,
    common: CommonOptions,
    input: Input,
    output: Output,
) -> int:
    """Ask for every row of IN, and write each answer to OUT. The same command goes on later.

    easyllm batch -p ollama in.jsonl out.jsonl
    easyllm batch --template 'Translate to French: {text}' words.csv out.jsonl
    """
    import shlex
    import sys

    from ..batch_request import BatchRequest, find_input, find_output
    from ..batch_run import run_batch

    output_path = find_output(output)
    input_path = find_input(input, output_path)
    words = [str(input_path) if input == "-" == word else word for word in sys.argv[1:]]
    command = shlex.join(["easyllm", *words])
    return run_batch(BatchRequest(input_path, output_path, model, sampling, batch, common, command))


@expand_option_groups
def print_status(debug_option: DebugOption, list_format: ListFormat, output: Output) -> int:
    """Say how far the batch of OUT is, also while it runs.

    easyllm batch status out.jsonl
    """
    from ..batch_files import print_batch_status

    return print_batch_status(output, list_format.json)


@expand_option_groups
def retry_failed(
    common: CommonOptions, output: Output, everything: AllFailed = False, jsonl: EventLines = False
) -> int:
    """Ask again for the rows of OUT that failed, with the options that it was begun with.

    easyllm batch retry out.jsonl
    """
    from ..batch_files import retry_batch

    return retry_batch(output, common, everything=everything, jsonl=jsonl)


@expand_option_groups
def merge(debug_option: DebugOption, list_format: ListFormat, outputs: Outputs) -> int:
    """Write each row once into MERGED, in the order of the input.

    easyllm batch merge out-0.jsonl out-1.jsonl all.jsonl
    """
    from ..batch_files import merge_batch

    return merge_batch(outputs, list_format.json)


@expand_option_groups
def cancel(debug_option: DebugOption, list_format: ListFormat, output: Output) -> int:
    """Stop the process that works on OUT, as Ctrl-C does.

    easyllm batch cancel out.jsonl
    """
    from ..batch_files import cancel_batch

    return cancel_batch(output, list_format.json)


# Subcommand: its function, and its line in `easyllm batch -h`.
SUBCOMMANDS = {
    "run": (run_batch, "Ask for every row of IN (the same as no command)."),
    "status": (print_status, "Say how far the batch of OUT is."),
    "retry": (retry_failed, "Ask again for the rows of OUT that failed."),
    "merge": (merge, "Write each row once, in the order of the input."),
    "cancel": (cancel, "Stop the process that works on OUT."),
}
DEFAULT_COMMAND = "run"
DEFAULT_TAKES_WORDS = True  # IN; a file of the name of a command is ./NAME
EXAMPLES = "easyllm batch -p ollama in.jsonl out.jsonl\neasyllm batch run --help"
