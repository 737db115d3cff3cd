"""easyllm: ask any language model from the shell or from Python, and trust the answer."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .errors import EasyLLMError, IncompleteAnswer
    from .events import Completion
    from .messages import Image, Message
    from .profiles import Profile
    from .providers.base import BaseLLMProvider
    from .providers.gemini import GeminiProvider
    from .providers.ollama import OllamaProvider
    from .providers.openai import OpenAIProvider
    from .providers.openrouter import OpenRouterProvider
    from .service import LLMService

__version__ = "0.1.0"
__all__ = [
    "BaseLLMProvider",
    "Completion",
    "EasyLLMError",
    "GeminiProvider",
    "Image",
    "IncompleteAnswer",
    "LLMService",
    "Message",
    "OllamaProvider",
    "OpenAIProvider",
    "OpenRouterProvider",
    "Profile",
]
# Imported when first asked for (PEP 562): the command line starts without them.
_HOMES = {
    "BaseLLMProvider": "providers.base",
    "Completion": "events",
    "EasyLLMError": "errors",
    "GeminiProvider": "providers.gemini",
    "Image": "messages",
    "IncompleteAnswer": "errors",
    "LLMService": "service",
    "Message": "messages",
    "OllamaProvider": "providers.ollama",
    "OpenAIProvider": "providers.openai",
    "OpenRouterProvider": "providers.openrouter",
    "Profile": "profiles",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{_HOMES[name]}", __name__), name)
