"""`easyllm doctor`: why a profile does not answer, and what to do."""

from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

import typer

from ...errors import EasyLLMError
from ..options.groups import RUN_PANEL, expand_option_groups
from ..options.input import ModelOptions
from ..options.output import CommonOptions
from ..options.run import RunOptions
from ..options.sampling import SamplingOptions

if TYPE_CHECKING:
    from ...config.profile import Profile
    from ...diagnostics.probe import Finding
    from ...providers.base import BaseLLMProvider

STATUS_LABELS = {True: "ok", False: "fail", None: "--"}
Call = Annotated[
    bool,
    typer.Option(
        "--call", help="Ask for one token of an answer, too.", rich_help_panel=RUN_PANEL,
        show_default=False,
    ),
]  # fmt: skip


@expand_option_groups
def doctor(model: ModelOptions, common: CommonOptions, call: Call = False) -> int:
    """Find out why a profile does not answer: one line for each check, with what to do.

    Checked in this order, up to the first that fails, whose exit code it is: the profiles file,
    the profile, its key, the proxy, the server's name, TLS, whether the server answers, takes the
    key and has the model, what the model can, and with --call one token of a real answer.

    easyllm doctor -p ollama
    """
    report = Report(model, common)
    error = report.run_checks(call)
    from ..results import CommandResult, print_result, print_traceback

    if common.json or (error is not None and not report.has_reported(error)):
        checks = [json_from_finding(one) for one in report.findings]
        outcome = CommandResult(
            error=error, listing={"profile": report.profile_name, "checks": checks}
        )
        return print_result(outcome, json=common.json, jsonl=False, debug=common.debug)
    if error is not None and common.debug:
        print_traceback(error)
    return error.exit_code if error else 0


class Report:
    """The findings, printed as they come unless they are wanted as JSON."""

    def __init__(self, model: ModelOptions, common: CommonOptions) -> None:
        self.model = model
        self.common = common
        self.profile_name: str | None = None
        self.findings: list[Finding] = []

    def run_checks(self, with_call: bool) -> EasyLLMError | None:
        """All checks, up to the first that fails; gives its error, or what stopped the command."""
        from ...diagnostics import CHECK_NAMES
        from ...diagnostics.probe import Finding

        error = self._diagnose(with_call)
        done = {one.name for one in self.findings}
        every = ("file", "profile", *(CHECK_NAMES if with_call else CHECK_NAMES[:-1]))
        left = [Finding(None, "not looked at", name=one) for one in every if one not in done]
        self.findings += left  # for --json: on a screen the failure is the last line
        return error

    def _diagnose(self, with_call: bool) -> EasyLLMError | None:
        from ...diagnostics import diagnose
        from ...diagnostics.probe import finding_from_error
        from ...providers import provider_for
        from .. import runtime
        from ..profile_selection import select_profile

        name = "file"
        try:
            self.add_finding(replace(check_profiles_file(self.model), name=name))
            name = "profile"
            profile, _ = select_profile(
                self.model, SamplingOptions(), RunOptions(), self.common.timeout
            )
            provider = provider_for(profile)
        except EasyLLMError as error:
            self.add_finding(replace(finding_from_error(error), name=name))
            return error
        self.profile_name = profile.name
        self.add_finding(finding_from_profile(profile, provider))

        async def ask() -> None:
            try:
                async for one in diagnose(provider, with_call):
                    self.add_finding(one)
            finally:
                await provider.aclose()

        stopped = runtime.run_cancellable(ask(), self.common.timeout, lambda: False)
        return stopped or self.findings[-1].error

    def add_finding(self, finding: "Finding") -> None:
        """A line of the report."""
        from ...render.options import is_terminal
        from ...render.output import OutputStream
        from ...secret import redact

        self.findings.append(finding)
        if self.common.json:
            return
        hint = f": {finding.hint}" if finding.hint else ""
        words = redact(" ".join(f"{finding.message}{hint}".split()))
        line = f"{STATUS_LABELS[finding.ok]:<4} {finding.name:<9} {words}\n"
        OutputStream(1, terminal=is_terminal(1)).write(line)

    def has_reported(self, error: EasyLLMError) -> bool:
        """Whether a line of the report says it already."""
        return any(one.error is error for one in self.findings)


def check_profiles_file(model: ModelOptions) -> "Finding":
    """Which profiles file is read, and who else may read it.

    Raises:
        ConfigError: it is missing, unreadable, or not valid TOML.
    """
    from stat import S_IMODE

    from ...config.profiles_file import default_profiles_location, read_profiles
    from ...diagnostics.probe import Finding

    if model.config_db is not None:
        return Finding(None, "the profile comes from a database")
    path = read_profiles(model.profiles).path
    if path is None:
        return Finding(
            None, f"{default_profiles_location()} does not exist: the built-in names need no file"
        )
    return Finding(True, f"{path}, mode {S_IMODE(path.stat().st_mode):04o}")


def finding_from_profile(profile: "Profile", provider: "BaseLLMProvider") -> "Finding":
    """Which profile it is."""
    from ...diagnostics.probe import Finding

    where = provider.where.removeprefix(f"profile {profile.name}").removeprefix(", ")
    at = f" at {where}" if where else ""
    said = f"{profile.name}: {profile.provider}{at}"
    return Finding(True, said, name="profile")


def json_from_finding(finding: "Finding") -> dict[str, object]:
    """A check of --json."""
    from ...secret import redact

    return {
        "name": finding.name,
        "ok": finding.ok,
        "message": redact(finding.message),
        "hint": redact(finding.hint) or None,
        "ms_first_token": finding.ms_first_token,
    }
