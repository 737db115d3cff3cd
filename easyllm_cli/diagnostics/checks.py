"""The single checks of `easyllm doctor`; each returns a finding or raises an EasyLLMError."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import suppress
from ipaddress import ip_address

from ..completion import Completion
from ..config.credentials import find_key_source
from ..config.endpoints import is_loopback
from ..config.settings import RPM_FROM_SERVER
from ..errors import IncompleteAnswer, NetworkError, NotFoundError, RefusedError, suggest_name
from ..events import Reasoning, Text
from ..images import Image
from ..limits import rate_file_path
from ..limits.headers import ReportedLimit, read_limits
from ..limits.rate import RateFile
from ..messages import Message
from ..pipeline import run
from ..pipeline.call import Call
from ..providers import provider_for
from ..secret import Secret
from ..vendors import get_vendor
from .probe import Finding, Probe

# An image of one pixel, to test if a request with an image would be refused; it is never sent.
ONE_PIXEL_PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010800000000"
    "3a7e9b550000000a4944415463600000000200015e7f5c3c0000000049454e44ae426082"
)
KEY_TAIL_CHARS = 4  # last characters of a key that are shown, if the key is long enough
MIN_KEY_CHARS_FOR_TAIL = 20
MAX_MODELS_FOR_SUGGESTION = 50  # no suggestion from a longer list
# One token proves that the model answers; OpenAI's Responses API refuses a limit below 16.
MIN_TOKENS_BY_API = {"responses": 16}
VISION_TEXTS = ("this model can see images", "this model cannot see images")
REASONING_TEXTS = ("this model reasons", "this model does not reason")
PROVIDER_FINDS_KEY = "the provider finds its key itself"
PROVIDER_FINDS_SERVER = "the provider finds its server itself"


async def check_key(probe: Probe) -> Finding:
    """Whether there is a key, and where it comes from."""
    provider = probe.http_provider
    if provider is None:
        return Finding(None, PROVIDER_FINDS_KEY)
    provider.headers()  # raises if a header names an environment variable that is not set
    if provider.key is None:
        if probe.provider.models_note:
            return Finding(None, PROVIDER_FINDS_KEY)
        text = "not needed" if is_loopback(provider.endpoint.url) else ""
        return Finding(None, "not set: none is sent", text=text)
    source = find_key_source(probe.profile, provider.endpoint) or "the profile"
    return Finding(True, f"{source}{format_key_tail(provider.key)}")


def format_key_tail(secret: Secret) -> str:
    """The last 4 characters of a long key, to tell it from another; "" for a short key."""
    value = secret.reveal()
    return f" (…{value[-KEY_TAIL_CHARS:]})" if len(value) >= MIN_KEY_CHARS_FOR_TAIL else ""


async def check_proxy(probe: Probe) -> Finding:
    """Whether the proxy, of the profile or of HTTPS_PROXY etc., can be reached; its address."""
    if not probe.network_settings.proxy:
        return Finding(None, "not used")
    await probe.require("proxy")
    return Finding(True, probe.network_settings.proxy_address)


async def check_dns(probe: Probe) -> Finding:
    """Whether DNS resolves the server's host name."""
    host = probe.url_parts.hostname or ""
    if not host or probe.network_settings.proxy:
        return Finding(None, "skipped (the proxy resolves it)" if host else PROVIDER_FINDS_SERVER)
    try:
        ip_address(host)
    except ValueError:
        await probe.require("name")
        return Finding(True, f"{host} resolves")
    return Finding(None, f"skipped ({host} is an IP address)", text="skipped (IP address)")


async def check_tls(probe: Probe) -> Finding:
    """Whether the server's certificate is trusted; only a response over TLS proves it."""
    if not probe.url_parts.hostname:
        return Finding(None, PROVIDER_FINDS_SERVER)
    await probe.require("tls")
    if probe.url_parts.scheme == "http":
        return Finding(None, "skipped (http)")
    if isinstance(probe.failure, NetworkError):
        return Finding(None, "skipped (the request failed)")
    return Finding(True, f"the certificate of {probe.url_parts.hostname} is trusted")


async def check_server(probe: Probe) -> Finding:
    """Whether the server answers with a model list."""
    if probe.provider.models_note:
        return Finding(None, probe.provider.models_note)
    await probe.require("server")
    return Finding(True, f"{probe.url_parts.netloc or probe.profile.provider} answers")


async def check_access(probe: Probe) -> Finding:
    """Whether the key is accepted."""
    await probe.require("access")
    if probe.provider.models_note or probe.http_provider is None:
        return Finding(None, "not checked")
    if probe.http_provider.key is None:
        return Finding(True, "the server needs no key")
    return Finding(True, "the key is accepted")


async def check_model(probe: Probe) -> Finding:
    """Whether the server offers the model; without a model in the profile: its first one."""
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
    """A hint for a wrong model name: close names, or the command that lists the models."""
    offered = probe.model_ids or []
    suggestion = (
        suggest_name(probe.provider.model, offered)
        if len(offered) <= MAX_MODELS_FOR_SUGGESTION
        else "known:"
    )
    if suggestion.startswith("known:"):
        return f"easyllm models {probe.profile.cli_selector} lists the models"
    return suggestion


async def check_vision(probe: Probe) -> Finding:
    """Whether the model accepts images; "no" is not a failure."""
    if probe.http_provider is not None:
        try:
            await probe.http_provider.prepare(
                [Message("user", ("?", Image.of_bytes(ONE_PIXEL_PNG, "a dot")))]
            )
        except RefusedError as error:
            return Finding(
                True, f"no: {error.message}", error.hint, text=VISION_TEXTS[1], lacking=True
            )
    model = await probe.provider.find_model()
    return finding_from_capability(model.vision if model else None, *VISION_TEXTS)


async def check_reasoning(probe: Probe) -> Finding:
    """Whether the model reasons without being asked to."""
    return finding_from_capability(await probe.provider.reasons(), *REASONING_TEXTS)


def finding_from_capability(value: bool | None, yes_text: str, no_text: str) -> Finding:
    """The finding for a capability; None = the server does not say."""
    if value is None:
        return Finding(None, "the server does not say")
    if value:
        return Finding(True, "yes", text=yes_text)
    return Finding(True, "no", text=no_text, lacking=True)


async def check_call(probe: Probe) -> Finding:
    """Ask for one token and measure the time to it; a reasoning token counts, too."""
    api = probe.profile.api or get_vendor(probe.profile.provider).default_api
    tokens = MIN_TOKENS_BY_API.get(api, 1)
    # An answer from the cache would say nothing about the server.
    profile = probe.profile.replace_set(max_tokens=tokens, max_retries=0, cache="off")
    provider = provider_for(profile)
    call = Call([Message("user", ("Say OK.",))])
    started, first_ms = time.monotonic(), None
    try:
        async for event in run(call, lambda: [provider]):
            if first_ms is None and isinstance(event, Text | Reasoning):
                first_ms = round((time.monotonic() - started) * 1000)
    except IncompleteAnswer as error:
        if (error.partial or Completion()).get("finish_reason") != "length":
            raise
    finally:
        probe.rate_limit_headers = call.rate_limit_headers
        await provider.aclose()
    if first_ms is None:
        return Finding(True, "answered, without a visible token")
    return Finding(True, f"first token after {first_ms / 1000:.2f} s", ms_first_token=first_ms)


async def check_limits(probe: Probe) -> Finding:
    """The rate limits that the profile sets, and those that the server reports."""
    named = [*limits_of(probe)]
    parts = [", ".join(named)] if named else []
    headers = probe.rate_limit_headers or probe.provider.rate_limit_headers
    reported = [format_limit(limit) for limit in read_limits(headers) if limit.limit is not None]
    if reported:
        parts.append(f"the server reports {', '.join(reported)}")
    return Finding(True, "; ".join(parts)) if parts else Finding(None, "none set, none reported")


async def check_budget(probe: Probe) -> Finding:
    """What is left of the budgets that hold for the profile.

    Raises:
        ConfigError: a ledger is damaged. OutputError: it cannot be read.
    """
    from ..limits.budget import find_budgets  # most profiles have none
    from ..limits.budget_report import read_budget

    parts = [
        f"{row.name}: {row.format()}"
        for name, budget in find_budgets(probe.profile)
        for row in read_budget(name, budget)
    ]
    return Finding(True, "; ".join(parts)) if parts else Finding(None, "none set")


def limits_of(probe: Probe) -> Iterator[str]:
    """The rate limits that the profile sets: `rpm = auto (60 learned)`."""
    profile = probe.profile
    if profile.rpm == RPM_FROM_SERVER:
        learned = 0.0
        with suppress(OSError, RuntimeError):  # nothing is learned where it cannot be kept
            learned = RateFile(rate_file_path(*probe.provider.limit_scope())).read().learned_rpm
        yield f"rpm = {profile.rpm} ({f'{learned:.0f}' if learned else 'nothing'} learned)"
    elif profile.rpm is not None:
        yield f"rpm = {profile.rpm}"
    for name, value in (("tpm", profile.tpm), ("concurrency", profile.concurrency)):
        if value is not None:
            yield f"{name} = {value}"


def format_limit(limit: ReportedLimit) -> str:
    """A limit in words: `60 requests a minute (59 left)`."""
    window = " a minute" if limit.minute_limit() is not None else ""
    left = f" ({limit.remaining:.0f} left)" if limit.remaining is not None else ""
    return f"{limit.limit:.0f} {limit.what.replace('-', ' ')}{window}{left}"
