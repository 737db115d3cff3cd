"""Wraps the litellm package: completion calls, API key choice and model tables.

Only this file imports litellm. decoder.py removes the values that litellm makes up.
"""

from __future__ import annotations

import logging
import os
from collections.abc import AsyncIterator
from contextlib import aclosing, suppress
from dataclasses import dataclass
from http.cookiejar import DefaultCookiePolicy
from typing import Any, ClassVar

from ...config.header_values import validate_header
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

# litellm reads these on import; they stop it from downloading prices, header lists and tokenizers.
os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")
os.environ.setdefault("LITELLM_LOCAL_ANTHROPIC_BETA_HEADERS", "True")
os.environ.setdefault("LITELLM_OFFLINE_MODE", "true")

import litellm

litellm.suppress_debug_info = True  # else it prints "Give Feedback / Get Help" to stdout
for name in ("LiteLLM", "LiteLLM Router", "LiteLLM Proxy"):
    logging.getLogger(name).setLevel(logging.CRITICAL + 1)

# Sent to an endpoint without a key. Otherwise litellm would send it the vendor's key variable.
PLACEHOLDER_KEY = "no-key"
# litellm's own limit; ResponseTimer applies the profile's timeouts before it is reached.
LITELLM_TIMEOUT_SECONDS = 6000.0
# One request per call: easyllm decides about retries, fallbacks and dropped parameters.
SINGLE_ATTEMPT_ARGUMENTS = {
    "max_retries": 0,
    "num_retries": 0,
    "drop_params": False,
    "timeout": LITELLM_TIMEOUT_SECONDS,
}


def build_completion_arguments(request: Request, url: str, key: Secret | None) -> dict[str, Any]:
    """Return the arguments for `litellm.acompletion`, with secrets revealed.

    `url`: the endpoint; "" = the vendor's own.

    Raises:
        ConfigError: a header in an option is invalid.
    """
    arguments = dict(request.body or {})
    for option in ("extra_headers", "headers"):  # arguments of litellm in the profile's `options`
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
        # An unknown name is a gateway's own; gateways are OpenAI-compatible.
        if not vendor_for_model(arguments["model"]):
            arguments["model"] = f"openai/{arguments['model']}"
        # litellm's table does not know what the user's own server accepts, so the server decides.
        arguments["allowed_openai_params"] = [
            name for name in arguments if name == "reasoning_effort"
        ]
    if key is not None:
        arguments["api_key"] = key.reveal()
    return arguments | SINGLE_ATTEMPT_ARGUMENTS


async def request_completion(
    request: Request, stream: bool, timer: ResponseTimer, url: str, key: Secret | None
) -> AsyncIterator[ParsedFrame]:
    """Call `acompletion` once and yield its chunks, or the body, in Chat Completions format.

    `url`: the endpoint; "" = the vendor's own. Without `key`, litellm then reads the vendor's key
    variable.

    Raises:
        EasyLLMError: converted from any exception of litellm.
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
        if converted is not None:  # None: cut before the end marker, which the decoder reports
            raise converted from error
    finally:
        timer.stop()


def refuse_cookies(clients: list[Any]) -> None:
    """Clear and disable the clients' cookie jars, so that no request sends a cookie.

    Of litellm's clients, only those for OpenAI accept cookies.
    """
    for client in clients:
        jar = getattr(getattr(getattr(client, "_client", None), "cookies", None), "jar", None)
        if jar is not None:
            jar.clear()
            jar.set_policy(DefaultCookiePolicy(allowed_domains=()))


@dataclass(frozen=True)
class ClientCleanup:
    """Closes litellm's HTTP clients of one event loop, which litellm caches for ever.

    `cache_key_suffix`: the end of their keys in litellm's cache.
    """

    cache_key_suffix: str
    is_closed: ClassVar[bool] = False

    async def aclose(self) -> None:
        """Remove the clients from the cache and close them; errors are ignored."""
        cache = litellm.in_memory_llm_clients_cache
        entries = list(cache.cache_dict.items())
        for name, client in [
            entry
            for entry in entries
            if self.cache_key_suffix and entry[0].endswith(self.cache_key_suffix)
        ]:
            cache.delete_cache(name)
            with suppress(Exception):  # the event loop is ending; nothing could handle an error
                await client.close()


class RouterShuffle:
    """Lets litellm's Router choose among API keys by index; the Router never sees a key.

    The Router does not send the request, because its stream wrapper hides whether a stream was cut
    (observed with litellm 1.106.2).
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
        """Return the index of a key, from 0."""
        # `select` exists since litellm 1.108 and deprecates the older name.
        has_select = hasattr(litellm.Router, "select")
        choose_deployment = (
            self._router.select if has_select else self._router.async_get_available_deployment
        )
        deployment = await choose_deployment("keys", {})
        return int(deployment["model_info"]["id"])


def vendor_for_model(model: str) -> str:
    """Return litellm's name of the vendor that serves a model; "" = unknown."""
    try:
        return str(litellm.get_llm_provider(model)[1])
    except Exception:
        return ""


def supports_reasoning(model: str) -> bool:
    """Whether litellm's table says that the model reasons."""
    return bool(litellm.supports_reasoning(model=model))


def find_missing_key_variables(model: str) -> list[str]:
    """Return the unset environment variables that litellm needs for a model."""
    return list(litellm.validate_environment(model=model).get("missing_keys") or ())


def models_from_table() -> list[Model]:
    """Return the chat models in litellm's built-in table, without asking a server.

    Only vendors whose key variables are set are listed; all vendors if no key is set.
    """
    table = litellm.model_cost
    names = litellm.get_valid_models(check_provider_endpoint=False) or sorted(
        name for name, row in table.items() if row.get("mode") == "chat"
    )
    return [model_from_litellm_row(name, table.get(name) or {}) for name in names]
