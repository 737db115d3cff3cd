"""The world: provider names and the adapter behind each, imported when it is asked for."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from ..config.endpoints import resolve_endpoint
from ..config.profile import Profile
from ..errors import ConfigError, missing_package_error
from ..vendors import VENDORS

if TYPE_CHECKING:
    from .base import BaseLLMProvider


# adapter: (module, class). A new adapter is one file and one line here.
ADAPTERS = {
    "openai": ("openai.chat", "OpenAIProvider"),
    "ollama": ("ollama", "OllamaProvider"),
    "openrouter": ("openrouter", "OpenRouterProvider"),
    "gemini": ("gemini.provider", "GeminiProvider"),
    "litellm": ("litellm.provider", "LiteLLMProvider"),
    "local": ("local.provider", "LocalProvider"),
}
# The same for api = "responses": adapters that speak OpenAI's other protocol, too.
RESPONSES_ADAPTERS = {"openai": ("openai.responses", "ResponsesProvider")}


def provider_names() -> list[str]:
    """Every name a profile's `provider` takes: the built-in ones, then installed plugins'."""
    from ..plugins import plugin_names  # 10 ms, and only a list needs it

    return list(dict.fromkeys([*VENDORS, *plugin_names()]))


def provider_class(name: str, api: str = "chat") -> type[BaseLLMProvider]:
    """The class behind a provider name, for one of OpenAI's protocols: chat or responses.

    Other packages are asked only for a name that is not built in.
    Raises:
        ConfigError: there is no such provider, the plugin that offers it is broken, it has no
            Responses, or an optional package that it needs is missing.
    """
    if not name:
        raise ConfigError("no provider is named", hint=f"known: {', '.join(VENDORS)}")
    vendor = VENDORS.get(name)
    if vendor is None:
        plugin: type[BaseLLMProvider] = import_module(".plugin_errors", __name__).plugin_class(name)
        return plugin
    homes = RESPONSES_ADAPTERS if api == "responses" else ADAPTERS
    if vendor.adapter not in homes:
        raise ConfigError(
            f'api = "{api}" is not for provider "{name}"',
            hint='leave api out, or set provider = "openai" and the endpoint',
        )
    module, class_name = homes[vendor.adapter]
    try:
        found: type[BaseLLMProvider] = getattr(import_module(f".{module}", __name__), class_name)
    except ImportError as error:
        missing = missing_package_error(error)
        if missing is None:
            raise
        missing.where = f"provider {name}"
        raise missing from None
    return found


def provider_for(profile: Profile) -> BaseLLMProvider:
    """A new provider object for a profile.

    Raises:
        ConfigError: the profile names no known provider, or a way that it does not have.
    """
    api = profile.api or "chat"
    if profile.api is None and profile.think:  # else the endpoint need not be looked at
        api = select_api(profile)
    return provider_class(profile.provider or "", api)(profile)


def select_api(profile: Profile) -> str:
    """`responses` where only it returns the reasoning that is asked for, else `chat`.

    That is OpenAI's own host with a model of its reasoning families, under `--think` or `cot`
    (WIRE §1c, §1b c). An effort alone asks for no reasoning to be shown, and changes nothing.
    Raises:
        ConfigError: the endpoint is no URL.
    """
    from .openai.model_families import can_reason

    asked = profile.think and profile.reasoning != "off"
    if not asked or profile.provider != "openai" or not can_reason(profile.model or ""):
        return "chat"
    official = resolve_endpoint(profile).host in VENDORS["openai"].hosts
    return "responses" if official else "chat"
