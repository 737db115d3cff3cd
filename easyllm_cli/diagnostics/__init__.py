"""What stands between a profile and an answer, found out by the code that real calls use."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace

from ..errors import EasyLLMError
from ..providers.base import BaseLLMProvider
from . import checks
from .probe import Finding, Patient, failed

Check = Callable[[Patient], Awaitable[Finding]]
CHECKS: tuple[Check, ...] = (
    checks.key,
    checks.proxy,
    checks.name,
    checks.tls,
    checks.server,
    checks.access,
    checks.model,
    checks.vision,
    checks.reasoning,
    checks.call,
)
NAMES = tuple(check.__name__ for check in CHECKS)


async def diagnose(provider: BaseLLMProvider, calls: bool) -> AsyncIterator[Finding]:
    """One finding after the other, in the order of CHECKS; the first that is not ok is the last.

    `calls`: whether to send a question, of which one token is wanted.
    """
    patient = Patient(provider)
    for check in CHECKS if calls else CHECKS[:-1]:
        try:
            found = await check(patient)
        except EasyLLMError as error:
            await patient.provider.explain(error)
            found = failed(error)
        yield replace(found, name=check.__name__)
        if found.ok is False:
            return
