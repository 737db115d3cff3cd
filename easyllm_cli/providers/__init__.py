"""The world: provider names and the adapter behind each, imported when it is asked for."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from ..errors import ConfigError
from ..profiles import Profile
from ..values import nearest
from ..vendors import VENDORS

if TYPE_CHECKING:
    from .base import BaseLLMProvider

# adapter: (module, class). A new adapter is one file and one line here.
ADAPTERS = {
    "openai": ("openai", "OpenAIProvider"),
    "ollama": ("ollama", "OllamaProvider"),
    "openrouter": ("openrouter", "OpenRouterProvider"),
    "gemini": ("gemini", "GeminiProvider"),
}


def provider_class(name: str) -> type[BaseLLMProvider]:
    """The class behind a provider name.

    Raises:
        ConfigError: there is no such provider.
    """
    vendor = VENDORS.get(name)
    if vendor is None:
        raise ConfigError(f'no provider "{name}"', hint=nearest(name, VENDORS))
    module, class_name = ADAPTERS[vendor.adapter]
    found: type[BaseLLMProvider] = getattr(import_module(f".{module}", __name__), class_name)
    return found


def provider_for(profile: Profile) -> BaseLLMProvider:
    """A new provider object for a profile.

    Raises:
        ConfigError: the profile names no known provider, or a way that is not built yet.
    """
    for key, value in (("api", "responses"), ("transport", "sdk")):
        if getattr(profile, key) == value:
            raise ConfigError(
                f'{key} = "{value}" is not supported yet', hint=f"leave {key} out of the profile"
            )
    return provider_class(profile.provider or "")(profile)
