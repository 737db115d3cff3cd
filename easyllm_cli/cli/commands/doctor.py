"""`easyllm doctor`: checks a profile step by step and says what to fix."""

from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

from ...config.settings import AUTO_PROVIDER
from ...errors import EasyLLMError
from ..options.common import CommonOptions
from ..options.groups import RUN_PANEL, declare, expand_option_groups
from ..options.input import ModelOptions
from ..options.run import RunOptions
from ..options.sampling import SamplingOptions

if TYPE_CHECKING:
    from ...config.profile import Profile
    from ...diagnostics.probe import Finding
    from ...providers.base import BaseLLMProvider

Call = Annotated[
    bool,
    declare(RUN_PANEL, "--call", help="Also request one token of an answer.", short=True),
]


@expand_option_groups
def doctor(model: ModelOptions, common: CommonOptions, call: Call = False) -> int:
    """Find out why a profile does not answer: one line for each check, and what to do.

    The checks stop at the first one that fails, and its exit code is returned. In this order: the
    profiles file, the profile, its key, what is left of its budgets, the proxy, the server's name,
    TLS, whether the server answers, accepts the key and has the model, what the model can do, with
    --call one token of a real answer, and the rate limits. -v also prints the checks that do not
    apply.

    easyllm doctor -p ollama
    easyllm doctor -p r1 --call
    """
    report = Report(model, common)
    error = report.run_checks(call)
    from ..results import CommandResult, print_result, print_traceback

    if common.json or (error is not None and not report.has_reported(error)):
        checks = [json_from_finding(finding) for finding in report.findings]
        result = CommandResult(
            error=error, listing={"profile": report.profile_name, "checks": checks}
        )
        return print_result(result, json=common.json, jsonl=False, debug=common.debug)
    if error is not None and common.debug:
        print_traceback(error)
    return error.exit_code if error else 0


class Report:
    """Collects the findings, and prints each one at once unless --json is set."""

    def __init__(self, model: ModelOptions, common: CommonOptions) -> None:
        self.model = model
        self.common = common
        self.profile_name: str | None = None
        self.findings: list[Finding] = []

    def run_checks(self, with_call: bool) -> EasyLLMError | None:
        """Run the checks up to the first failure; returns its error, or the command's, or None."""
        from ...diagnostics import names_of_checks
        from ...diagnostics.probe import Finding

        error = self._diagnose(with_call)
        done = {finding.name for finding in self.findings}
        names = ("file", "profile", *names_of_checks(with_call))
        rest = [Finding(None, "not checked", name=name) for name in names if name not in done]
        self.findings += rest  # for --json; as text the failure is the last line
        return error

    def _diagnose(self, with_call: bool) -> EasyLLMError | None:
        from ...diagnostics import diagnose
        from ...diagnostics.probe import finding_from_error
        from ...providers import provider_for
        from ...providers.plugin_errors import name_plugin_in_errors
        from .. import runtime
        from ..profile_selection import select_profile

        name = "file"
        try:
            self.add_finding(replace(check_profiles_file(self.model), name=name))
            name = "profile"
            profile, others = select_profile(
                self.model, SamplingOptions(), RunOptions(), self.common.timeout
            )
            if profile.provider == AUTO_PROVIDER:
                return self._diagnose_candidates(profile, others)
            provider = provider_for(profile)
        except EasyLLMError as error:
            self.add_finding(replace(finding_from_error(error), name=name))
            return error
        self.profile_name = profile.name
        self.add_finding(finding_from_profile(profile, provider))

        async def run_diagnosis() -> None:
            with name_plugin_in_errors(provider.entry_point):
                try:
                    async for finding in diagnose(provider, with_call):
                        self.add_finding(finding)
                finally:
                    await provider.aclose()

        failure = runtime.run_cancellable(run_diagnosis(), self.common.timeout, lambda: False)
        return failure or self.findings[-1].error

    def _diagnose_candidates(
        self, auto: "Profile", candidates: "list[Profile]"
    ) -> EasyLLMError | None:
        """Check the candidates of an auto profile; returns the error if none can be asked."""
        from ...diagnostics.candidates import check_candidates

        self.profile_name = auto.name
        for finding in check_candidates(auto, candidates):
            self.add_finding(finding)
        return self.findings[-1].error

    def add_finding(self, finding: "Finding") -> None:
        """Add a finding, and print it unless --json is set; one that says nothing only with -v."""
        self.findings.append(finding)
        if self.common.json or (finding.ok is None and not self.common.verbose):
            return
        from ..finding_lines import print_finding

        print_finding(finding, self.common.color or "auto")

    def has_reported(self, error: EasyLLMError) -> bool:
        """Whether a finding has reported the error already."""
        return any(finding.error is error for finding in self.findings)


def check_profiles_file(model: ModelOptions) -> "Finding":
    """Check the profiles file; the finding names its path and its mode.

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
    """The finding that names the profile, its provider and its endpoint."""
    from ...diagnostics.probe import Finding

    where = provider.where.removeprefix(f"profile {profile.name}").removeprefix(", ")
    at = f" at {where}" if where else ""
    message = f"{profile.name}: {profile.provider}{at}"
    return Finding(True, message, name="profile")


def json_from_finding(finding: "Finding") -> dict[str, object]:
    """A finding as an object of --json, with keys redacted."""
    from ...secret import redact

    return {
        "name": finding.name,
        "ok": finding.ok,
        "message": redact(finding.message),
        "hint": redact(finding.hint) or None,
        "ms_first_token": finding.ms_first_token,
    }
