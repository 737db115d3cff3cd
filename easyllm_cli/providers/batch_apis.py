"""Which providers have a batch API that is spoken here."""

from __future__ import annotations

from importlib import import_module

from ..errors import UsageError
from ..vendors import get_vendor
from .base import BaseLLMProvider
from .batch_api import BatchAPI
from .http import HTTPProvider

# Provider: (module, class). Another vendor behind the same adapter has no batch API, or another.
BATCH_APIS = {
    "openai": ("openai.batch_api", "OpenAIBatchAPI"),
    "anthropic": ("anthropic.batch_api", "AnthropicBatchAPI"),
    "gemini": ("gemini.batch_api", "GeminiBatchAPI"),
}


def batch_api_for(provider: BaseLLMProvider) -> BatchAPI:
    """The batch API of a provider.

    Raises:
        UsageError: it has none.
    """
    name = provider.profile.provider or ""
    if name not in BATCH_APIS or not isinstance(provider, HTTPProvider):
        known = ", ".join(BATCH_APIS)
        raise UsageError(
            f"--via api: {name} has no batch API that easyllm knows", where=provider.where,
            hint=f"leave --via out, or use {known}",
        )  # fmt: skip
    module, class_name = BATCH_APIS[name]
    api: type[BatchAPI] = getattr(import_module(f".{module}", __package__), class_name)
    return api(provider)


def known_price_factor(provider: BaseLLMProvider) -> float | None:
    """The price of a row of a batch API, as a part of the usual one.

    None where there is no batch API, or where the endpoint is not the vendor's own: nobody knows
    the prices there.
    """
    name = provider.profile.provider
    if name not in BATCH_APIS or not isinstance(provider, HTTPProvider):
        return None
    is_own_host = get_vendor(name).has_host(provider.endpoint.host)
    return batch_api_for(provider).price_factor if is_own_host else None
