"""Hints for names that are no profile: which `-p PROVIDER:MODEL` a model or a vendor needs."""

from __future__ import annotations

from collections.abc import Iterable

from ..errors import suggest_name
from ..vendors import VENDORS

# Names that people try for a provider whose name here is another one.
OTHER_NAMES = {"google": "-p gemini", "aws": "-p bedrock"}


def selector_from_model(typed: str) -> str:
    """PROVIDER:MODEL for the name of a well-known model or of its vendor; "" = not known.

    `gpt-4o` gives `openai:gpt-4o`, `claude` gives `anthropic:claude-…`. The names are in
    `Vendor.model_prefixes`. A vendor's own models come before those that another one passes on.
    """
    typed = typed.lower()
    name, _, model = typed.partition(":")
    found = [
        ((typed.startswith(prefix), "/" not in prefix, len(prefix)), f"{vendor}:{full_name}")
        for vendor, row in VENDORS.items()
        for prefix in row.model_prefixes
        if (full_name := _full_name(typed, name, model, prefix))
    ]
    return max(found, default=((), ""))[1]


def _full_name(typed: str, name: str, model: str, prefix: str) -> str:
    """The vendor's name of the model if it begins with the prefix, else ""."""
    path, slash, begin = prefix.rpartition("/")
    path += slash
    if name + "/" == path:  # anthropic, or anthropic:claude-…
        return path + (model if model.startswith(begin) else f"{begin}…")
    if name + "-" == begin:  # claude
        return path + (model or f"{begin}…")
    bare = typed.removeprefix(path)
    is_longer_word = not begin.endswith("-") and bare[len(begin) :][:1].isalnum()
    return path + bare if bare.startswith(begin) and not is_longer_word else ""


def unknown_profile_hint(typed: str, own: Iterable[str], known: list[str]) -> str:
    """The hint for a NAME or NAME:MODEL that is no profile.

    `own`: the profiles of the file. `known`: these and all built-in names.
    """
    from difflib import get_close_matches

    name = typed.partition(":")[0]
    if get_close_matches(name, list(own), n=1, cutoff=0.8):
        return suggest_name(name, known)
    if name.lower() in OTHER_NAMES:
        return OTHER_NAMES[name.lower()]
    selector = selector_from_model(typed)
    if not selector:
        return suggest_name(name, known)
    _, _, model = selector.partition(":")
    if "/" in model:
        return f"through OpenRouter: -p {selector}, or through LiteLLM: -p litellm:{model}"
    return f"that is a model of {selector.partition(':')[0]}: -p {selector}"


def other_provider_hint(model: str, provider: str | None) -> str:
    """PROVIDER:MODEL of a well-known model that another provider than this one offers, else ""."""
    selector = selector_from_model(model)
    is_vendor_only = selector.endswith("…")  # `mistral` is a model of Ollama
    return "" if is_vendor_only or selector.partition(":")[0] == provider else selector


def elsewhere_hint(model: str, provider: str | None) -> str:
    """`other_provider_hint` as the end of a hint: `; elsewhere: -p openai:gpt-4o`, or ""."""
    selector = other_provider_hint(model, provider)
    return f"; elsewhere: -p {selector}" if selector else ""
