"""Public names of easyllm, a command line and async library for language models."""

from __future__ import annotations

from importlib import import_module

from ._version import __version__ as __version__

TYPE_CHECKING = False  # type checkers take it as True; importing typing costs 5 ms

if TYPE_CHECKING:
    from .batch.caller import BatchCaller
    from .completion import Completion
    from .config.database import ModelConfig as ModelConfig
    from .config.profile import Profile
    from .config.profile_loading import load_profile
    from .config.settings import Timeout
    from .errors import (
        AuthError,
        BillingError,
        BudgetError,
        BusyError,
        ConfigError,
        EasyLLMError,
        FilteredError,
        FirstTokenTimeout,
        IncompleteAnswer,
        MalformedAnswer,
        NetworkError,
        NotFoundError,
        RefusedError,
        TooLargeError,
        UsageError,
    )
    from .events import (
        Done,
        Event,
        Model,
        Note,
        Reasoning,
        Reclassified,
        Retrying,
        Start,
        Text,
        Usage,
    )
    from .images import Image
    from .messages import Message
    from .pipeline.call import Call
    from .pipeline.collector import collect
    from .providers.anthropic.provider import AnthropicProvider
    from .providers.base import BaseLLMProvider
    from .providers.cohere.provider import CohereProvider
    from .providers.gemini.provider import GeminiProvider
    from .providers.http import HTTPProvider
    from .providers.litellm.provider import LiteLLMProvider as LiteLLMProvider
    from .providers.ollama import OllamaProvider
    from .providers.openai.chat import OpenAIProvider
    from .providers.openrouter import OpenRouterProvider
    from .secret import Secret
    from .service import LLMService

__all__ = [
    "AnthropicProvider",
    "AuthError",
    "BaseLLMProvider",
    "BatchCaller",
    "BillingError",
    "BudgetError",
    "BusyError",
    "Call",
    "CohereProvider",
    "Completion",
    "ConfigError",
    "Done",
    "EasyLLMError",
    "Event",
    "FilteredError",
    "FirstTokenTimeout",
    "GeminiProvider",
    "HTTPProvider",
    "Image",
    "IncompleteAnswer",
    "LLMService",
    "MalformedAnswer",
    "Message",
    "Model",
    "NetworkError",
    "NotFoundError",
    "Note",
    "OllamaProvider",
    "OpenAIProvider",
    "OpenRouterProvider",
    "Profile",
    "Reasoning",
    "Reclassified",
    "RefusedError",
    "Retrying",
    "Secret",
    "Start",
    "Text",
    "Timeout",
    "TooLargeError",
    "Usage",
    "UsageError",
    "collect",
    "load_profile",
]
# Imported at first access (PEP 562), so that the command line starts without them.
_EXPORTS_BY_MODULE = {
    "errors": (
        "AuthError",
        "BillingError",
        "BudgetError",
        "BusyError",
        "ConfigError",
        "EasyLLMError",
        "FilteredError",
        "FirstTokenTimeout",
        "IncompleteAnswer",
        "MalformedAnswer",
        "NetworkError",
        "NotFoundError",
        "RefusedError",
        "TooLargeError",
        "UsageError",
    ),
    "batch.caller": ("BatchCaller",),
    "completion": ("Completion",),
    "events": (
        "Done",
        "Event",
        "Model",
        "Note",
        "Reasoning",
        "Reclassified",
        "Retrying",
        "Start",
        "Text",
        "Usage",
    ),
    "images": ("Image",),
    "messages": ("Message",),
    "config.profile": ("Profile",),
    "config.settings": ("Timeout",),
    "pipeline.call": ("Call",),
    "config.profile_loading": ("load_profile",),
    "pipeline.collector": ("collect",),
    "providers.anthropic.provider": ("AnthropicProvider",),
    "providers.base": ("BaseLLMProvider",),
    "providers.cohere.provider": ("CohereProvider",),
    "providers.gemini.provider": ("GeminiProvider",),
    "providers.http": ("HTTPProvider",),
    "providers.ollama": ("OllamaProvider",),
    "providers.openai.chat": ("OpenAIProvider",),
    "providers.openrouter": ("OpenRouterProvider",),
    "secret": ("Secret",),
    "service": ("LLMService",),
}
# Also public, but not in `import *`: each needs an extra (packages sqlalchemy and litellm).
_OPTIONAL_EXPORTS_BY_MODULE = {
    "config.database": ("ModelConfig",),
    "providers.litellm.provider": ("LiteLLMProvider",),
}

if not TYPE_CHECKING:  # with __getattr__ visible, a type checker accepts any name

    def __getattr__(name: str) -> object:
        exports = (_EXPORTS_BY_MODULE | _OPTIONAL_EXPORTS_BY_MODULE).items()
        module_name = next((module for module, names in exports if name in names), None)
        if module_name is None:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        try:
            return getattr(import_module(f".{module_name}", __name__), name)
        except ModuleNotFoundError as error:
            from .errors import missing_package_error

            raise (missing_package_error(error) or error) from None


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
