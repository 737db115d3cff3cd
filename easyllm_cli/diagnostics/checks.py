"""The checks: each looks at one thing, and gives a finding or raises what a real call would."""

from __future__ import annotations

import time
from ipaddress import ip_address

from ..completion import Completion
from ..config.credentials import find_key_source
from ..errors import IncompleteAnswer, NetworkError, NotFoundError, RefusedError, suggest_name
from ..events import Reasoning, Text
from ..images import Image
from ..messages import Message
from ..providers import provider_for
from ..secret import Secret
from .probe import Finding, Probe

# A picture of one pixel, to ask whether the model would be refused one; it is never sent.
ONE_PIXEL_PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010800000000"
    "3a7e9b550000000a4944415463600000000200015e7f5c3c0000000049454e44ae426082"
)
KEY_TAIL_CHARS = 4  # characters at its end, of a key that is long enough to keep a secret
MIN_KEY_CHARS_FOR_TAIL = 20
MAX_MODELS_FOR_SUGGESTION = 50  # models among which a close name is looked for
# One token tells that the model answers; OpenAI's Responses refuses a limit below 16.
MIN_TOKENS_BY_API = {"responses": 16}
PROVIDER_FINDS_KEY = "the provider finds it by itself"
PROVIDER_FINDS_SERVER = "the provider finds its server by itself"


async def check_key(probe: Probe) -> Finding:
    """Found, and from where."""
    provider = probe.http_provider
    if provider is None:
        return Finding(None, PROVIDER_FINDS_KEY)
    provider.headers()  # a variable that one of them names may be missing
    if provider.key is None:
        no_key = "none is needed or named: none is sent"
        return Finding(None, PROVIDER_FINDS_KEY if probe.provider.models_note else no_key)
    source = find_key_source(probe.profile, provider.endpoint) or "the profile"
    return Finding(True, f"{source}{format_key_tail(provider.key)}")


def format_key_tail(secret: Secret) -> str:
    """Enough of a key to tell it from another."""
    value = secret.reveal()
    return f" (…{value[-KEY_TAIL_CHARS:]})" if len(value) >= MIN_KEY_CHARS_FOR_TAIL else ""


async def check_proxy(probe: Probe) -> Finding:
    """The profile's, or the one that the usual variables name."""
    if not probe.network_settings.proxy:
        return Finding(None, "none is named")
    await probe.require("proxy")
    return Finding(True, probe.network_settings.proxy_address)


async def check_dns(probe: Probe) -> Finding:
    """Whether the server's name can be looked up."""
    host = probe.url_parts.hostname or ""
    if not host or probe.network_settings.proxy:
        return Finding(None, "the proxy looks it up" if host else PROVIDER_FINDS_SERVER)
    try:
        ip_address(host)
    except ValueError:
        await probe.require("name")
        return Finding(True, f"{host} is known")
    return Finding(None, f"{host} is an address")


async def check_tls(probe: Probe) -> Finding:
    """Whether the server's certificate is trusted; told only by an answer that came over it."""
    if not probe.url_parts.hostname:
        return Finding(None, PROVIDER_FINDS_SERVER)
    await probe.require("tls")
    if probe.url_parts.scheme == "http":
        return Finding(None, "none: http://")
    if isinstance(probe.failure, NetworkError):
        return Finding(None, "it did not come so far")
    return Finding(True, f"the certificate of {probe.url_parts.hostname} is trusted")


async def check_server(probe: Probe) -> Finding:
    """Whether it answers, and as a model's server does."""
    if probe.provider.models_note:
        return Finding(None, probe.provider.models_note)
    await probe.require("server")
    return Finding(True, f"{probe.url_parts.netloc or probe.profile.provider} answers")


async def check_access(probe: Probe) -> Finding:
    """Whether the key is accepted."""
    await probe.require("access")
    if probe.provider.models_note or probe.http_provider is None:
        return Finding(None, "nobody was asked")
    if probe.http_provider.key is None:
        return Finding(True, "the server asks for no key")
    return Finding(True, "the key is accepted")


async def check_model(probe: Probe) -> Finding:
    """Named, or the first one; and in the server's list."""
    provider, notes = probe.provider, list[str]()
    if probe.http_provider is not None:
        _, notes = await probe.http_provider.prepare([Message("user", ("?",))])
    offered = probe.model_ids or []
    if provider.models_note:
        return Finding(None, f"{provider.model}: {provider.models_note}")
    if not any(map(provider.matches_model, offered)):
        missing = f'the server offers no model "{provider.model}"'
        raise NotFoundError(missing, hint=suggest_model(probe))
    return Finding(True, notes[0].removeprefix("model ") if notes else provider.model)


def suggest_model(probe: Probe) -> str:
    """Which name may be meant."""
    offered = probe.model_ids or []
    suggestion = (
        suggest_name(probe.provider.model, offered)
        if len(offered) <= MAX_MODELS_FOR_SUGGESTION
        else "known:"
    )
    if suggestion.startswith("known:"):
        return f"easyllm models {probe.profile.cli_selector} lists what there is"
    return suggestion


async def check_vision(probe: Probe) -> Finding:
    """Whether the model takes pictures; to know that it does not is well, too."""
    if probe.http_provider is not None:
        try:
            await probe.http_provider.prepare(
                [Message("user", ("?", Image.of_bytes(ONE_PIXEL_PNG, "a dot")))]
            )
        except RefusedError as error:
            return Finding(True, f"no: {error.message}", error.hint)
    model = await probe.provider.find_model()
    return finding_from_capability(model.vision if model else None)


async def check_reasoning(probe: Probe) -> Finding:
    """Whether the model reasons by itself."""
    return finding_from_capability(await probe.provider.reasons())


def finding_from_capability(value: bool | None) -> Finding:
    """What a server says of its model."""
    if value is None:
        return Finding(None, "the server does not say")
    return Finding(True, "yes" if value else "no")


async def check_call(probe: Probe) -> Finding:
    """One token of a real answer; a model that spends it on thinking has answered, too."""
    tokens = MIN_TOKENS_BY_API.get(probe.profile.api or "", 1)
    provider = provider_for(probe.profile.replace_set(max_tokens=tokens, max_retries=0))
    started, first_ms = time.monotonic(), None
    try:
        async for event in provider.stream([Message("user", ("Say OK.",))]):
            if first_ms is None and isinstance(event, Text | Reasoning):
                first_ms = round((time.monotonic() - started) * 1000)
    except IncompleteAnswer as error:
        if (error.partial or Completion()).get("finish_reason") != "length":
            raise
    finally:
        await provider.aclose()
    if first_ms is None:
        return Finding(True, "an answer, without a visible token")
    return Finding(True, f"the first token after {first_ms / 1000:.2f} s", ms_first_token=first_ms)
