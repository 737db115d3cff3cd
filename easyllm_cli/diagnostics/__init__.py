"""Runs the checks of `easyllm doctor` in order, up to the first failure."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace

from ..errors import EasyLLMError
from ..providers.base import BaseLLMProvider
from ..providers.plugin_errors import name_plugin_in_errors
from . import checks
from .probe import Finding, Probe, finding_from_error

Check = Callable[[Probe], Awaitable[Finding]]
# By the name that `doctor` prints, in the order in which they run.
CHECKS: dict[str, Check] = {
    "key": checks.check_key,
    "budget": checks.check_budget,
    "proxy": checks.check_proxy,
    "name": checks.check_dns,
    "tls": checks.check_tls,
    "server": checks.check_server,
    "access": checks.check_access,
    "model": checks.check_model,
    "vision": checks.check_vision,
    "reasoning": checks.check_reasoning,
    "call": checks.check_call,
    "limits": checks.check_limits,
}


def names_of_checks(include_call: bool) -> list[str]:
    """The names of the checks that run, in order; `call` is among them only if it is asked for."""
    return [name for name in CHECKS if include_call or name != "call"]


async def diagnose(provider: BaseLLMProvider, include_call: bool) -> AsyncIterator[Finding]:
    """Run the checks in the order of CHECKS and yield their findings, up to the first failure.

    `include_call`: also send a question, limited to one token.
    """
    probe = Probe(provider)
    for name in names_of_checks(include_call):
        try:
            with name_plugin_in_errors(provider.entry_point):
                finding = await CHECKS[name](probe)
        except EasyLLMError as error:
            await probe.provider.add_hint(error)
            finding = finding_from_error(error)
        yield replace(finding, name=name)
        if finding.ok is False:
            return
