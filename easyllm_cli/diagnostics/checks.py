"""The checks: each looks at one thing, and gives a finding or raises what a real call would."""

from __future__ import annotations

import time
from ipaddress import ip_address

from ..completion import Completion
from ..config.credentials import source_of
from ..errors import IncompleteAnswer, NetworkError, NotFoundError, RefusedError, nearest
from ..events import Reasoning, Text
from ..images import Image
from ..messages import Message
from ..providers import provider_for
from ..secret import Secret
from .probe import Finding, Patient

# A picture of one pixel, to ask whether the model would be refused one; it is never sent.
DOT = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010800000000"
    "3a7e9b550000000a4944415463600000000200015e7f5c3c0000000049454e44ae426082"
)
SHOWN_OF_A_KEY = 4  # characters at its end, of a key that is long enough to keep a secret
LONG_KEY = 20
LONG_LIST = 50  # models among which a close name is looked for
# One token tells that the model answers; OpenAI's Responses refuses a limit below 16.
TOKENS = {"responses": 16}
ITS_OWN = "the provider finds it by itself"
UNKNOWN = "the provider finds its server by itself"


async def key(patient: Patient) -> Finding:
    """Found, and from where."""
    wire = patient.wire
    if wire is None:
        return Finding(None, ITS_OWN)
    wire.headers()  # a variable that one of them names may be missing
    if wire.key is None:
        nowhere = "none is needed or named: none is sent"
        return Finding(None, ITS_OWN if patient.provider.models_note else nowhere)
    source = source_of(patient.profile, wire.endpoint) or "the profile"
    return Finding(True, f"{source}{shown(wire.key)}")


def shown(found: Secret) -> str:
    """Enough of a key to tell it from another."""
    value = found.reveal()
    return f" (…{value[-SHOWN_OF_A_KEY:]})" if len(value) >= LONG_KEY else ""


async def proxy(patient: Patient) -> Finding:
    """The profile's, or the one that the usual variables name."""
    if not patient.route.proxy:
        return Finding(None, "none is named")
    await patient.passes("proxy")
    return Finding(True, patient.route.proxy_address)


async def name(patient: Patient) -> Finding:
    """Whether the server's name can be looked up."""
    host = patient.parts.hostname or ""
    if not host or patient.route.proxy:
        return Finding(None, "the proxy looks it up" if host else UNKNOWN)
    try:
        ip_address(host)
    except ValueError:
        await patient.passes("name")
        return Finding(True, f"{host} is known")
    return Finding(None, f"{host} is an address")


async def tls(patient: Patient) -> Finding:
    """Whether the server's certificate is trusted; told only by an answer that came over it."""
    if not patient.parts.hostname:
        return Finding(None, UNKNOWN)
    await patient.passes("tls")
    if patient.parts.scheme == "http":
        return Finding(None, "none: http://")
    if isinstance(patient.failure, NetworkError):
        return Finding(None, "it did not come so far")
    return Finding(True, f"the certificate of {patient.parts.hostname} is trusted")


async def server(patient: Patient) -> Finding:
    """Whether it answers, and as a model's server does."""
    if patient.provider.models_note:
        return Finding(None, patient.provider.models_note)
    await patient.passes("server")
    return Finding(True, f"{patient.parts.netloc or patient.profile.provider} answers")


async def access(patient: Patient) -> Finding:
    """Whether the key is accepted."""
    await patient.passes("access")
    if patient.provider.models_note or patient.wire is None:
        return Finding(None, "nobody was asked")
    if patient.wire.key is None:
        return Finding(True, "the server asks for no key")
    return Finding(True, "the key is accepted")


async def model(patient: Patient) -> Finding:
    """Named, or the first one; and in the server's list."""
    one, notes = patient.provider, list[str]()
    if patient.wire is not None:
        _, notes = await patient.wire.prepare([Message("user", ("?",))])
    offered = patient.found or []
    if one.models_note:
        return Finding(None, f"{one.model}: {one.models_note}")
    if not any(map(one.is_mine, offered)):
        raise NotFoundError(f'the server offers no model "{one.model}"', hint=closest(patient))
    return Finding(True, notes[0].removeprefix("model ") if notes else one.model)


def closest(patient: Patient) -> str:
    """Which name may be meant."""
    offered = patient.found or []
    known = nearest(patient.provider.model, offered) if len(offered) <= LONG_LIST else "known:"
    if known.startswith("known:"):
        return f"easyllm models {patient.profile.choice} lists what there is"
    return known


async def vision(patient: Patient) -> Finding:
    """Whether the model takes pictures; to know that it does not is well, too."""
    if patient.wire is not None:
        try:
            await patient.wire.prepare([Message("user", ("?", Image.of_bytes(DOT, "a dot")))])
        except RefusedError as blind:
            return Finding(True, f"no: {blind.message}", blind.hint)
    mine = await patient.provider.listed()
    return said(mine.vision if mine else None)


async def reasoning(patient: Patient) -> Finding:
    """Whether the model reasons by itself."""
    return said(await patient.provider.reasons())


def said(value: bool | None) -> Finding:
    """What a server says of its model."""
    if value is None:
        return Finding(None, "the server does not say")
    return Finding(True, "yes" if value else "no")


async def call(patient: Patient) -> Finding:
    """One token of a real answer; a model that spends it on thinking has answered, too."""
    tokens = TOKENS.get(patient.profile.api or "", 1)
    provider = provider_for(patient.profile.with_(max_tokens=tokens, max_retries=0))
    began, first = time.monotonic(), None
    try:
        async for event in provider.stream([Message("user", ("Say OK.",))]):
            if first is None and isinstance(event, Text | Reasoning):
                first = round((time.monotonic() - began) * 1000)
    except IncompleteAnswer as error:
        if (error.partial or Completion()).get("finish_reason") != "length":
            raise
    finally:
        await provider.aclose()
    if first is None:
        return Finding(True, "an answer, without a visible token")
    return Finding(True, f"the first token after {first / 1000:.2f} s", ms_first_token=first)
