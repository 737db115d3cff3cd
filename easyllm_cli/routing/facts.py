"""Facts about one candidate, found without a request: whether it can be asked, what it costs."""

from __future__ import annotations

import os
import time
from importlib.util import find_spec

from ..config.credentials import has_key_source, resolve_api_keys
from ..config.endpoints import Endpoint, resolve_endpoint, runs_in_process
from ..config.profile import Profile
from ..config.settings import KEY_SOURCES
from ..errors import AuthError, ConfigError, EasyLLMError, missing_package_error
from ..messages import Message
from ..secret import Secret
from ..vendors import VENDORS, get_vendor
from .needs import USUAL_ANSWER_TOKENS, Needs

# The settings whose key is not read for a choice: a command runs, or the system asks the user.
UNREAD_KEY_SOURCES = ("api_key_cmd", "keyring")
# The package that an adapter needs beside easyllm.
PACKAGE_BY_ADAPTER = {"litellm": "litellm", "local": "xllamacpp"}


class Facts:
    """What is known about a candidate; None = unknown.

    `problem`: why it cannot be asked. `context`: of its model, in tokens, and `context_source`: who
    says it, `profile`, `server` or `table`. `sees`, `reasons`: whether its model takes images and
    reasons. `is_paused`: whether its server asked for a pause that lasts. `usd`: the estimated cost
    of the answer in US dollars. `seconds`: what its last answers took, for 300 tokens.
    `is_recorded`: whether the recording of --replay holds its answer.
    """

    problem: EasyLLMError | None = None
    context: int | None = None
    context_source = ""
    sees: bool | None = None
    reasons: bool | None = None
    is_paused = False
    usd: float | None = None
    seconds: float | None = None
    is_recorded = False


def find_facts(
    profile: Profile, needs: Needs, *, with_cost: bool = False, is_replay: bool = False
) -> Facts:
    """The facts about a candidate. Sends nothing.

    `with_cost`: estimate what the answer costs. `is_replay`: a recording answers, so that no key
    and no package is needed.
    """
    facts = Facts()
    try:
        endpoint = resolve_endpoint(profile) if profile.provider in VENDORS else None
        if not is_replay:
            _require_package(profile)
            key = _find_key(profile, endpoint)
            facts.is_paused = endpoint is not None and _is_paused(profile, endpoint, key)
        if needs.has_images and endpoint is not None:
            _require_image_types(profile, endpoint, needs.messages)
        if profile.has_budget:
            _require_budget(profile, needs.messages)
    except EasyLLMError as error:
        facts.problem = error
        return facts
    _find_model_facts(facts, profile, endpoint, needs)
    facts.usd = _estimate_cost(profile, needs) if with_cost else None
    return facts


def find_access_problem(profile: Profile) -> EasyLLMError | None:
    """Why a candidate cannot be asked at all: its package, its endpoint or its key; None = it can.

    No key is read where that runs a command or opens the system keyring.
    """
    try:
        endpoint = resolve_endpoint(profile) if profile.provider in VENDORS else None
        _require_package(profile)
        _find_key(profile, endpoint)
    except EasyLLMError as error:
        return error
    return None


def _require_package(profile: Profile) -> None:
    """Raise ConfigError if the package or the model file that the provider needs is missing."""
    adapter = get_vendor(profile.provider).adapter
    package = PACKAGE_BY_ADAPTER.get(adapter)
    if package is not None and find_spec(package) is None:
        missing = ModuleNotFoundError(name=package)
        raise missing_package_error(missing) or ConfigError(f"{package} is not installed")
    if runs_in_process(profile.provider):
        from ..providers.local.model_files import model_path

        path = model_path(profile.model or "")
        if not path.is_file():
            raise ConfigError("the model file does not exist", where=str(path))


def _find_key(profile: Profile, endpoint: Endpoint | None) -> Secret | None:
    """The key that would be sent, None = none or not read.

    Raises:
        AuthError: there is none, and it is needed.
        ConfigError: it is refused, or the variable of a header is not set.
    """
    for name, value in (profile.headers or {}).items():
        if value.startswith("env:") and value[4:] not in os.environ:
            raise AuthError(f"header {name}: {value[4:]} is not set")
    if endpoint is None or get_vendor(profile.provider).adapter in PACKAGE_BY_ADAPTER:
        return None
    if any(getattr(profile, source) is not None for source in UNREAD_KEY_SOURCES):
        return None
    has_own_source = any(getattr(profile, source) is not None for source in KEY_SOURCES)
    variables = get_vendor(profile.provider).key_variables
    is_stored = not has_own_source and not any(map(os.environ.get, variables))
    if is_stored and has_key_source(profile, endpoint):
        return None  # `easyllm keys` stored it, perhaps in the system keyring
    keys = resolve_api_keys(profile, endpoint)
    return keys[0] if keys else None


def _is_paused(profile: Profile, endpoint: Endpoint, key: Secret | None) -> bool:
    """Whether the limits that all processes share say that the server asked for a pause."""
    if (profile.rpm, profile.tpm, profile.concurrency) == (None, None, None):
        return False
    from ..limits import rate_file_path
    from ..limits.rate import RateFile

    try:
        return RateFile(rate_file_path(endpoint.url, key)).is_paused()
    except (OSError, RuntimeError):  # nobody keeps limits here
        return False


def _require_image_types(profile: Profile, endpoint: Endpoint, messages: list[Message]) -> None:
    """Raise UsageError for an image of a type that the vendor does not document."""
    from ..providers.image_inputs import refuse_unsupported_images

    refuse_unsupported_images(messages, endpoint, profile.provider or "", profile.model or "")


def _require_budget(profile: Profile, messages: list[Message]) -> None:
    """Raise as `AttemptBudget.reserve` would, and reserve nothing."""
    from ..limits.budget import AttemptBudget

    AttemptBudget(profile, 0).require(profile.model or "", messages)


def _find_model_facts(
    facts: Facts, profile: Profile, endpoint: Endpoint | None, needs: Needs
) -> None:
    """Take the facts about the model from the profile, the saved model list or the price table."""
    if runs_in_process(profile.provider):
        from ..providers.local.provider import DEFAULT_CONTEXT_TOKENS

        facts.sees = profile.mmproj is not None
        facts.context = profile.num_ctx or DEFAULT_CONTEXT_TOKENS
        facts.context_source = "profile"
        return
    if profile.model is None or endpoint is None:
        return
    from ..config.model_list_cache import load_model_facts

    saved = load_model_facts(profile.name, endpoint.url).get(profile.model, {})
    facts.sees, facts.reasons = saved.get("vision"), saved.get("reasoning")
    if profile.num_ctx is not None and get_vendor(profile.provider).adapter == "ollama":
        facts.context, facts.context_source = profile.num_ctx, "profile"
    elif saved.get("context") is not None:
        facts.context, facts.context_source = saved["context"], "server"
    elif needs.is_large:
        from ..pricing.table import find_model_prices  # it takes some ms

        row = find_model_prices(endpoint.url, profile.model)
        if row is not None and row.context is not None:
            facts.context, facts.context_source = row.context, "table"


def _estimate_cost(profile: Profile, needs: Needs) -> float | None:
    """The cost of the answer in US dollars, with the estimated tokens of the prompt."""
    from ..events import Usage
    from ..pricing import attempt_cost

    usage = Usage(
        prompt_tokens=needs.prompt_tokens,
        completion_tokens=min(profile.output_limit() or USUAL_ANSWER_TOKENS, USUAL_ANSWER_TOKENS),
    )
    dollars, _ = attempt_cost(usage, profile, profile.model or "", time.time())
    return None if dollars is None else float(dollars)
