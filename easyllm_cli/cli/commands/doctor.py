"""`easyllm doctor`: why a profile does not answer, and what to do."""

from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

import typer

from ...errors import EasyLLMError
from ..options.groups import SAFE, options
from ..options.input import Target
from ..options.output import Common
from ..options.run import Run
from ..options.sampling import Sampling

if TYPE_CHECKING:
    from ...config.profile import Profile
    from ...diagnostics.probe import Finding
    from ...providers.base import BaseLLMProvider

STATES = {True: "ok", False: "fail", None: "--"}
Call = Annotated[
    bool,
    typer.Option(
        "--call", help="Ask for one token of an answer, too.", rich_help_panel=SAFE,
        show_default=False,
    ),
]  # fmt: skip


@options
def doctor(target: Target, common: Common, call: Call = False) -> int:
    """Find out why a profile does not answer: one line for each check, with what to do.

    Checked in this order, up to the first that fails, whose exit code it is: the profiles file,
    the profile, its key, the proxy, the server's name, TLS, whether the server answers, takes the
    key and has the model, what the model can, and with --call one token of a real answer.

    easyllm doctor -p ollama
    """
    report = Report(target, common)
    error = report.examined(call)
    from ..results import Outcome, complain_lines, finish

    if common.json or (error is not None and not report.tells(error)):
        checks = [as_object(one) for one in report.findings]
        outcome = Outcome(error=error, listing={"profile": report.profile, "checks": checks})
        return finish(outcome, json=common.json, jsonl=False, debug=common.debug)
    if error is not None and common.debug:
        complain_lines(error)
    return error.exit_code if error else 0


class Report:
    """The findings, printed as they come unless they are wanted as JSON."""

    def __init__(self, target: Target, common: Common) -> None:
        self.target = target
        self.common = common
        self.profile: str | None = None
        self.findings: list[Finding] = []

    def examined(self, calls: bool) -> EasyLLMError | None:
        """All checks, up to the first that fails; gives its error, or what stopped the command."""
        from ...diagnostics import NAMES
        from ...diagnostics.probe import Finding

        error = self._asked(calls)
        done = {one.name for one in self.findings}
        every = ("file", "profile", *(NAMES if calls else NAMES[:-1]))
        left = [Finding(None, "not looked at", name=one) for one in every if one not in done]
        self.findings += left  # for --json: on a screen the failure is the last line
        return error

    def _asked(self, calls: bool) -> EasyLLMError | None:
        from ...diagnostics import diagnose
        from ...diagnostics.probe import failed
        from ...providers import provider_for
        from .. import runtime
        from ..profile_selection import chosen

        name = "file"
        try:
            self.add(replace(file(self.target), name=name))
            name = "profile"
            profile, _ = chosen(self.target, Sampling(), Run(), self.common.timeout)
            provider = provider_for(profile)
        except EasyLLMError as error:
            self.add(replace(failed(error), name=name))
            return error
        self.profile = profile.name
        self.add(described(profile, provider))

        async def ask() -> None:
            try:
                async for one in diagnose(provider, calls):
                    self.add(one)
            finally:
                await provider.aclose()

        stopped = runtime.run(ask(), self.common.timeout, lambda: False)
        return stopped or self.findings[-1].error

    def add(self, finding: "Finding") -> None:
        """A line of the report."""
        from ...render.options import is_terminal
        from ...render.output import Stream
        from ...secret import redact

        self.findings.append(finding)
        if self.common.json:
            return
        hint = f": {finding.hint}" if finding.hint else ""
        words = redact(" ".join(f"{finding.message}{hint}".split()))
        line = f"{STATES[finding.ok]:<4} {finding.name:<9} {words}\n"
        Stream(1, terminal=is_terminal(1)).write(line)

    def tells(self, error: EasyLLMError) -> bool:
        """Whether a line of the report says it already."""
        return any(one.error is error for one in self.findings)


def file(target: Target) -> "Finding":
    """Which profiles file is read, and who else may read it.

    Raises:
        ConfigError: it is missing, unreadable, or not valid TOML.
    """
    from stat import S_IMODE

    from ...config.profiles_file import place, read_profiles
    from ...diagnostics.probe import Finding

    if target.config_db is not None:
        return Finding(None, "the profile comes from a database")
    path = read_profiles(target.profiles).path
    if path is None:
        return Finding(None, f"{place()} does not exist: the built-in names need no file")
    return Finding(True, f"{path}, mode {S_IMODE(path.stat().st_mode):04o}")


def described(profile: "Profile", provider: "BaseLLMProvider") -> "Finding":
    """Which profile it is."""
    from ...diagnostics.probe import Finding

    where = provider.where.removeprefix(f"profile {profile.name}").removeprefix(", ")
    at = f" at {where}" if where else ""
    said = f"{profile.name}: {profile.provider}{at}"
    return Finding(True, said, name="profile")


def as_object(finding: "Finding") -> dict[str, object]:
    """A check of --json."""
    from ...secret import redact

    return {
        "name": finding.name,
        "ok": finding.ok,
        "message": redact(finding.message),
        "hint": redact(finding.hint) or None,
        "ms_first_token": finding.ms_first_token,
    }
