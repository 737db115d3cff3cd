"""Provider registry: imports a profile's adapter class, and chooses chat or responses for it."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from ..config.endpoints import resolve_endpoint
from ..config.profile import Profile
from ..config.settings import AUTO_PROVIDER
from ..errors import ConfigError, missing_package_error
from ..vendors import VENDORS, get_vendor

if TYPE_CHECKING:
    from .base import BaseLLMProvider


# adapter: (module, class). A new adapter needs its file and a line here.
ADAPTERS = {
    "openai": ("openai.chat", "OpenAIProvider"),
    "ollama": ("ollama", "OllamaProvider"),
    "openrouter": ("openrouter", "OpenRouterProvider"),
    "anthropic": ("anthropic.provider", "AnthropicProvider"),
    "gemini": ("gemini.provider", "GeminiProvider"),
    "cohere": ("cohere.provider", "CohereProvider"),
    "litellm": ("litellm.provider", "LiteLLMProvider"),
    "local": ("local.provider", "LocalProvider"),
}
# The same for api = "responses" (OpenAI Responses).
RESPONSES_ADAPTERS = {"openai": ("openai.responses", "ResponsesProvider")}
MESSAGES_API = "anthropic"  # api = "anthropic" is Anthropic's Messages API


def provider_names() -> list[str]:
    """Every valid `provider` name: built-in ones, then those of installed plugins."""
    from ..plugins import plugin_names  # takes 10 ms, and only a list needs it

    return list(dict.fromkeys([*VENDORS, *plugin_names()]))


def provider_class(name: str, api: str = "chat") -> type[BaseLLMProvider]:
    """The adapter class for a provider name. `api`: "chat", "responses" or "anthropic".

    Plugins are searched only for a name that is not built in.
    Raises:
        ConfigError: the provider is unknown, its plugin is broken, it does not support the api, or
            an optional package is missing.
    """
    if not name:
        raise ConfigError("no provider is named", hint=f"known: {', '.join(VENDORS)}")
    vendor = VENDORS.get(name)
    if vendor is None:
        plugins = import_module(".plugin_errors", __name__)
        plugin: type[BaseLLMProvider] = plugins.load_plugin_class(name)
        return plugin
    adapters = RESPONSES_ADAPTERS if api == "responses" else ADAPTERS
    adapter_name = vendor.adapter
    if api == MESSAGES_API:
        adapter_name = MESSAGES_API if vendor.messages_url else vendor.adapter
        adapters = {MESSAGES_API: ADAPTERS[MESSAGES_API]}
    if adapter_name not in adapters:
        speaker = MESSAGES_API if api == MESSAGES_API else "openai"
        raise ConfigError(
            f'provider "{name}" does not support api = "{api}"',
            hint=f'leave api out, or set provider = "{speaker}" and the endpoint',
        )
    module, class_name = adapters[adapter_name]
    try:
        adapter: type[BaseLLMProvider] = getattr(import_module(f".{module}", __name__), class_name)
    except ImportError as error:
        package_error = missing_package_error(error)
        if package_error is None:
            raise
        package_error.where = f"provider {name}"
        raise package_error from None
    return adapter


def provider_for(profile: Profile) -> BaseLLMProvider:
    """Create the provider object for a profile.

    Raises:
        ConfigError: the provider is unknown, or the profile does not fit it.
    """
    api = profile.api or get_vendor(profile.provider).default_api
    if profile.api is None and profile.think:  # otherwise the api does not depend on the endpoint
        api = select_api(profile)
    name = profile.provider or ""
    if not name or name in VENDORS:
        return provider_class(name, api)(profile)
    if name == AUTO_PROVIDER:
        raise ConfigError(
            f'provider "{AUTO_PROVIDER}" chooses a profile for a question, and answers none itself',
            hint="name one of its candidates here, or ask through LLMService",
        )
    from .plugin_errors import create_plugin_provider  # only plugins need it

    return create_plugin_provider(name, profile)


def select_api(profile: Profile) -> str:
    """Choose `responses` if the profile asks to see reasoning that only Responses returns.

    That is the case for OpenAI's own host and reasoning models, with `--think` or `cot`: there,
    Chat Completions returns no reasoning, and Responses returns summaries of it (see
    docs/protocols.md). An effort alone does not ask to see reasoning. Else `chat`.
    Raises:
        ConfigError: the endpoint is not a URL.
    """
    from .openai.model_families import can_reason

    wants_reasoning = profile.think and profile.reasoning != "off"
    if not wants_reasoning or profile.provider != "openai" or not can_reason(profile.model or ""):
        return "chat"
    official = resolve_endpoint(profile).host in VENDORS["openai"].hosts
    return "responses" if official else "chat"
