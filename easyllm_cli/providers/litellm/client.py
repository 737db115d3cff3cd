"""The litellm package, made quiet: one call, its choice of a key, and its tables.

This is the one file that names litellm. What it invents is taken out in decoder.py.
"""

from __future__ import annotations

import logging
import os
from collections.abc import AsyncIterator
from contextlib import aclosing, suppress
from dataclasses import dataclass
from http.cookiejar import DefaultCookiePolicy
from typing import Any, ClassVar

from ...config.settings import validate_header
from ...errors import EasyLLMError
from ...events import Model
from ...secret import Secret
from ...transport.base import Request
from ...transport.connections import close_with_loop
from ...transport.framing import BODY_EVENT
from ...transport.json_frames import ParsedFrame
from ...transport.timeouts import ResponseTimer
from .decoder import body_from_response, frame_from_chunk, model_from_litellm_row
from .errors import error_from_litellm

# Read when litellm is imported: no price list, header list or tokenizer is fetched by it.
os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")
os.environ.setdefault("LITELLM_LOCAL_ANTHROPIC_BETA_HEADERS", "True")
os.environ.setdefault("LITELLM_OFFLINE_MODE", "true")

import litellm

litellm.suppress_debug_info = True  # else it prints "Give Feedback / Get Help" on stdout
for name in ("LiteLLM", "LiteLLM Router", "LiteLLM Proxy"):
    logging.getLogger(name).setLevel(logging.CRITICAL + 1)

# For an endpoint without a key: left to itself litellm sends it the vendor's variable.
PLACEHOLDER_KEY = "no-key"
# Seconds: litellm's own limit, never reached, since `Patience` has the profile's.
LITELLM_TIMEOUT_SECONDS = 6000.0
# One request a call: retries, fallbacks and what to leave out are ours to decide (DESIGN §5).
SINGLE_ATTEMPT_ARGUMENTS = {
    "max_retries": 0,
    "num_retries": 0,
    "drop_params": False,
    "timeout": LITELLM_TIMEOUT_SECONDS,
}


def build_completion_arguments(request: Request, url: str, key: Secret | None) -> dict[str, Any]:
    """What `acompletion` is given; secrets are revealed here and nowhere before.

    Raises:
        ConfigError: an option holds what is no header.
    """
    arguments = dict(request.body or {})
    for option in ("extra_headers", "headers"):  # litellm's own, from the profile's `options`
        if isinstance(headers := arguments.get(option), dict):
            arguments[option] = {
                name: validate_header(name, str(value)) for name, value in headers.items()
            }
    if request.headers:
        arguments["extra_headers"] = {
            name: value.reveal() if isinstance(value, Secret) else value
            for name, value in request.headers.items()
        }
    if url:
        arguments["api_base"] = url
        arguments["api_key"] = PLACEHOLDER_KEY
        if not vendor_for_model(
            arguments["model"]
        ):  # a gateway's own name: those speak OpenAI's protocol
            arguments["model"] = f"openai/{arguments['model']}"
        # litellm's table does not know what somebody's own server takes: that server decides.
        arguments["allowed_openai_params"] = [
            name for name in arguments if name == "reasoning_effort"
        ]
    if key is not None:
        arguments["api_key"] = key.reveal()
    return arguments | SINGLE_ATTEMPT_ARGUMENTS


async def request_completion(
    request: Request, stream: bool, timer: ResponseTimer, url: str, key: Secret | None
) -> AsyncIterator[ParsedFrame]:
    """One call of `acompletion`: each chunk, or the whole body, in Chat Completions' shape.

    `url`: the endpoint; "" = the vendor's own, and litellm reads the vendor's key variable.
    Raises:
        EasyLLMError: by its class, whatever litellm or the vendor says.
    """
    client_cache = litellm.in_memory_llm_clients_cache
    close_with_loop(
        ClientCleanup(cache_key_suffix=client_cache.update_cache_key_with_event_loop(""))
    )
    refuse_cookies(list(client_cache.cache_dict.values()))
    try:
        response = await timer.wait(
            litellm.acompletion(**build_completion_arguments(request, url, key))
        )
        if not stream:
            yield body_from_response(response), BODY_EVENT
            return
        async with aclosing(response):
            while (chunk := await timer.wait(anext(response, None))) is not None:
                yield frame_from_chunk(chunk, response), ""
    except EasyLLMError:
        raise
    except Exception as error:
        converted = error_from_litellm(error, url, timer.has_progress)
        if converted is not None:  # else it ended before its end marker: the decoder says so
            raise converted from error
    finally:
        timer.stop()


def refuse_cookies(clients: list[Any]) -> None:
    """Let no later request carry a cookie: litellm makes OpenAI's clients with a jar that takes
    any, all others with one that takes none."""
    for client in clients:
        jar = getattr(getattr(getattr(client, "_client", None), "cookies", None), "jar", None)
        if jar is not None:
            jar.clear()
            jar.set_policy(DefaultCookiePolicy(allowed_domains=()))


@dataclass(frozen=True)
class ClientCleanup:
    """litellm's HTTP clients of one event loop: it keeps them, also when their loop has ended.

    `mark` ends the names that they have in litellm's cache.
    """

    cache_key_suffix: str
    is_closed: ClassVar[bool] = False

    async def aclose(self) -> None:
        cache = litellm.in_memory_llm_clients_cache
        entries = list(cache.cache_dict.items())
        for name, client in [
            entry
            for entry in entries
            if self.cache_key_suffix and entry[0].endswith(self.cache_key_suffix)
        ]:
            cache.delete_cache(name)
            with suppress(Exception):  # at a loop's end nobody is there to be told
                await client.close()


class RouterShuffle:
    """litellm's Router: it chooses one of several keys, and never sees any of them.

    It does not send: its own wrapper of a stream hides whether the stream was cut (SPIKES f).
    """

    def __init__(self, count: int) -> None:
        rows = [
            {
                "model_name": "keys",
                "litellm_params": {"model": "openai/keys", "api_key": f"number {number}"},
                "model_info": {"id": str(number)},
            }
            for number in range(count)
        ]
        self._router = litellm.Router(model_list=rows, num_retries=0)

    async def choose(self) -> int:
        """The number of a key, from 0."""
        # `select` since 1.108; the older name is deprecated there.
        has_select = hasattr(litellm.Router, "select")
        choose_deployment = (
            self._router.select if has_select else self._router.async_get_available_deployment
        )
        deployment = await choose_deployment("keys", {})
        return int(deployment["model_info"]["id"])


def vendor_for_model(model: str) -> str:
    """litellm's word for who serves a model; "" = it knows none."""
    try:
        return str(litellm.get_llm_provider(model)[1])
    except Exception:
        return ""


def supports_reasoning(model: str) -> bool:
    """Whether litellm's table says that the model reasons."""
    return bool(litellm.supports_reasoning(model=model))


def find_missing_key_variables(model: str) -> list[str]:
    """The variables that litellm reads for a model and that are not set."""
    return list(litellm.validate_environment(model=model).get("missing_keys") or ())


def models_from_table() -> list[Model]:
    """litellm's own table of chat models: all of those vendors whose keys are set, else all.

    No server is asked: it is what litellm knew at its release.
    """
    table = litellm.model_cost
    names = litellm.get_valid_models(check_provider_endpoint=False) or sorted(
        name for name, row in table.items() if row.get("mode") == "chat"
    )
    return [model_from_litellm_row(name, table.get(name) or {}) for name in names]
