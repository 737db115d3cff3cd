"""A batch as the command line asks for it: its files, rows, profile and limits, all checked."""

from __future__ import annotations

import os
import shlex
import stat
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..batch.asking import choose_transport
from ..batch.fingerprint import hash_settings
from ..batch.input_file import InputFile
from ..batch.output_rows import FORMATS
from ..batch.row_selection import RowSelection
from ..batch.state import Header, state_path
from ..config.endpoints import resolve_adapter
from ..config.paths import expand_home
from ..config.profile import Profile, validate_setting
from ..errors import OutputError, UsageError
from ..frozen_dataclass import FrozenDataclass
from ..private_file import open_private
from ..render.output import print_notice
from .option_types import VIA_API
from .options.batch import BatchOptions
from .options.common import CommonOptions
from .options.input import ModelOptions
from .options.run import RunOptions
from .options.sampling import SamplingOptions
from .profile_selection import refuse_auto_profile, select_profile
from .prompt_text import require_utf8
from .request import read_json_object

if TYPE_CHECKING:
    from ..choices import Choices
    from ..json_schema import Schema

AUTO = "auto"
USUAL_CONCURRENCY = 64
LOCAL_CONCURRENCY = {"ollama": 2, "local": 1, "litellm": 4}  # by adapter
INPUT_SUFFIX = ".input"  # of the copy of stdin beside the output
COPIED_BYTES = 1024 * 1024


class BatchRequest(FrozenDataclass):
    """The options of `easyllm batch IN OUT`. `command`: the line that runs it again."""

    input: Path
    output: Path
    model: ModelOptions
    sampling: SamplingOptions
    batch: BatchOptions
    common: CommonOptions
    command: str = ""
    selection: RowSelection = RowSelection()

    @property
    def form(self) -> str:
        return self.batch.format or FORMATS[0]

    @property
    def is_via_api(self) -> bool:
        """Whether the provider's batch API is asked."""
        return self.batch.via == VIA_API

    def arguments(self) -> dict[str, Any]:
        """The options as JSON, for `request_from_arguments`, which may be called in another folder.

        A database's URL may hold a password, and is not among them.
        --max-cost and --max-errors are of one run, and not among them.
        """
        batch = {"system", "template", "shard", "limit", "format", "cache", "strict", "choices",
                 "concurrency", "rpm", "via"}  # fmt: skip
        return {
            "model": {
                **vars(self.model),
                "config_db": None,
                "profiles": _absolute(self.model.profiles),
            },
            "sampling": {**vars(self.sampling), "schema": _absolute(self.sampling.schema)},
            "batch": {name: value for name, value in vars(self.batch).items() if name in batch},
            "has_database": self.model.config_db is not None,
        }

    def header(self, source: InputFile, profile: Profile, shard: tuple[int, int]) -> Header:
        """The header of the state. Raises UsageError if the input cannot be read."""
        return Header(
            str(self.input.absolute()),
            source.identity(),
            hash_settings(
                profile, self.batch.template, self.form, shard, VIA_API if self.is_via_api else ""
            ),
            self.arguments(),
            time.time(),
        )


def _absolute(name: str | None) -> str | None:
    """The name of a file as it is in any folder."""
    return name and str(Path(os.path.expanduser(name)).absolute())


def request_from_arguments(
    header: Header, output: Path, common: CommonOptions, selection: RowSelection
) -> BatchRequest:
    """The request that the output was begun with.

    Raises:
        UsageError: its profile is one of a database, which the state does not name.
    """
    arguments: Mapping[str, Any] = header.arguments
    if arguments.get("has_database"):
        raise UsageError(
            "the profile of this batch is in a database, whose URL is not kept",
            hint="run the same command as before; failed rows are asked again with a new output",
        )
    return BatchRequest(
        Path(header.input_path),
        output,
        ModelOptions(**_read_options(ModelOptions, arguments, "model")),
        SamplingOptions(**_read_options(SamplingOptions, arguments, "sampling")),
        BatchOptions(**_read_options(BatchOptions, arguments, "batch")),
        common,
        shlex.join(["easyllm", "batch", "retry", str(output)]),
        selection,
    )


def _read_options(group: type, arguments: Mapping[str, Any], name: str) -> dict[str, Any]:
    """The options of a group. Raises UsageError if the state is of another version, or damaged."""
    defaults, values = _defaults(group), arguments.get(name)
    if isinstance(values, Mapping) and values.keys() <= defaults.keys():
        return {**defaults, **values}
    raise UsageError(
        f"the state of the batch has other {name} options than this version of easyllm",
        hint="run the same command as before; failed rows are asked again with a new output",
    )


def is_via_api(header: Header) -> bool:
    """Whether a batch was begun with --via api."""
    options = header.arguments.get("batch")
    return isinstance(options, Mapping) and options.get("via") == VIA_API


def _defaults(group: type) -> dict[str, Any]:
    return {name: getattr(group, name) for name in group.__annotations__}


class ResolvedBatch(FrozenDataclass):
    """What the options of a batch mean: profiles, rows, the form of answers, the speed."""

    profile: Profile
    fallbacks: list[Profile]
    selection: RowSelection
    answer_format: Schema | Choices | None
    concurrency: int


def resolve_batch(request: BatchRequest) -> ResolvedBatch:
    """Choose the profile and read the options.

    Raises:
        ConfigError: the profile is wrong. UsageError: an option is, or it is an auto profile.
    """
    options, common = request.batch, request.common
    if common.json and options.jsonl:
        raise UsageError("--json and --jsonl do not go together", hint="choose one")
    run = RunOptions(**{**_defaults(RunOptions), "strict": options.strict})
    profile, fallbacks = select_profile(request.model, request.sampling, run, common.timeout)
    refuse_auto_profile(profile, "batch")
    if profile.transport == "sdk":
        raise UsageError(
            'transport = "sdk" is not for batch', where=f"profile {profile.name}",
            hint="leave transport out of the profile",
        )  # fmt: skip
    answer_format = _load_answer_format(request)
    settings = {
        "system": None if options.system is None else require_utf8(options.system),
        "rpm": validate_setting("rpm", options.rpm),
        **(answer_format.request_settings if answer_format else {}),
        "cache": validate_setting("cache", options.cache),
    }
    profiles = [each.replace_set(**settings) for each in (profile, *fallbacks)]
    concurrency = _parse_concurrency(options.concurrency, profile)
    shard = _parse_shard(options.shard)
    limit = None if request.selection.is_retry else options.limit  # later runs had another one
    selection = request.selection.__replace__(shard=shard, limit=limit)
    if request.is_via_api:
        from .batch_api_options import require_usable_options, without_limits

        require_usable_options(options, profiles[0])
        plain = without_limits(profiles[0])
        return ResolvedBatch(plain, [], selection, answer_format, concurrency)
    first, *others = (_choose_transport(each, concurrency, common.quiet) for each in profiles)
    return ResolvedBatch(first, others, selection, answer_format, concurrency)


def _load_answer_format(request: BatchRequest) -> Schema | Choices | None:
    """What --choices or --schema say. Raises UsageError."""
    name, choices = request.sampling.schema, request.batch.choices
    if choices is not None:
        from ..choices import parse_choices

        if name is not None:
            raise UsageError("--schema and --choices do not go together", hint="choose one")
        return parse_choices(choices)
    if name is None:
        return None
    from ..json_schema import Schema

    return Schema(read_json_object(name), name, strips_code_fence=True)


def _parse_concurrency(text: str | None, profile: Profile) -> int:
    """The most requests in flight: at most the profile's `concurrency`. Raises UsageError."""
    if text in (None, AUTO):
        usual = LOCAL_CONCURRENCY.get(resolve_adapter(profile), USUAL_CONCURRENCY)
        return profile.concurrency or usual
    if text is None or not text.isascii() or not text.isdecimal() or not 1 <= int(text) <= 10_000:
        raise UsageError(f'--concurrency "{text}" is no number', hint="auto, or 1 to 10000")
    return min(int(text), profile.concurrency or int(text))


def _parse_shard(text: str | None) -> tuple[int, int]:
    """`1/4` as (1, 4). Raises UsageError if it is no shard."""
    if text is None:
        return 0, 1
    number, slash, count = text.partition("/")
    if slash and number.isdecimal() and count.isdecimal() and int(number) < int(count):
        return int(number), int(count)
    raise UsageError(f'--shard "{text}" is no shard', hint="0/4, 1/4, 2/4 and 3/4 are all rows")


def _choose_transport(profile: Profile, concurrency: int, quiet: bool) -> Profile:
    """As `choose_transport`, with a note where a package is missing that makes a difference."""
    chosen = choose_transport(profile)
    if chosen.transport == "http" and concurrency >= USUAL_CONCURRENCY and not quiet:
        from ..installation import format_install_command

        print_notice(
            f"easyllm: with aiohttp a batch takes less CPU: {format_install_command('batch')}"
        )
    return chosen


def find_input(name: str, output: Path) -> Path:
    """The path of the input; stdin (`-`) is copied to a private file beside the output first.

    Raises:
        UsageError: there is an output already, so that stdin cannot be the same input again.
        OutputError: the copy cannot be written.
    """
    if name != "-":
        return expand_home(name)
    copy = output.with_name(output.name + INPUT_SUFFIX)
    if state_path(output).exists():
        raise UsageError(
            "the output was begun before, and stdin was copied then", where=str(output),
            hint=f"go on with: {shlex.join(['easyllm', 'batch', str(copy), str(output)])}",
        )  # fmt: skip
    if sys.stdin is None:
        raise UsageError("stdin is closed", hint="easyllm batch - out.jsonl < in.jsonl")
    try:
        _copy_stdin(copy)
    except OSError as error:
        raise OutputError.from_os_error("stdin cannot be copied", error, str(copy)) from None
    return copy


def _copy_stdin(copy: Path) -> None:
    """Replace the copy when all is read: stdin may be the copy itself. Raises OSError."""
    new_path = copy.with_name(f".{copy.name}.new")
    new_path.unlink(missing_ok=True)
    try:
        descriptor = open_private(new_path, os.O_WRONLY | os.O_CREAT | os.O_EXCL)
        with open(descriptor, "wb") as file:
            while data := sys.stdin.buffer.read(COPIED_BYTES):
                file.write(data)
        os.replace(new_path, copy)
    finally:
        new_path.unlink(missing_ok=True)


def find_output(name: str) -> Path:
    """The path of the output, of a symbolic link that of its target, which has the state beside it.

    Raises:
        UsageError: it is no file that can be continued.
    """
    path = expand_home(name)
    if path.is_symlink():
        path = Path(os.path.realpath(path))
    try:
        is_file = stat.S_ISREG(path.stat().st_mode)
    except OSError:
        is_file = name != "-"
    if not is_file:
        raise UsageError(
            "the output must be a file, which a later run can continue", where=name,
            hint="easyllm batch in.jsonl out.jsonl",
        )  # fmt: skip
    return path
