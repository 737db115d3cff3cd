"""litellm's row for the table of adapters, and the warnings that are its own affair."""

import json
from typing import Any

import pytest

from easyllm_cli.config.profile import Profile
from tests.support.adapters import CHAT_FORMAT, KEY, REASONING_TEXT, Adapter
from tests.support.asking import profile
from tests.support.standins.openai import OpenAIServer
from tests.support.standins.server import Reply, Request, StandIn

# litellm silences pydantic's when it is imported, which pytest undoes for every test; it keeps
# its connections open for the next call, of which there is none in a test's event loop.
ITS_OWN_WARNINGS = pytest.mark.filterwarnings(
    "ignore:.*ReadOnly:UserWarning",
    "ignore::DeprecationWarning",
    "ignore::ResourceWarning",
    "ignore::pytest.PytestUnraisableExceptionWarning",
)


class VendorPrefixServer(OpenAIServer):
    """Gets the vendor's name, which litellm takes off the model's, put before it again."""

    async def handle(self, request: Request, reply: Reply) -> None:
        if request.body:
            request.body = json.dumps(
                {**request.json, "model": f"openai/{request.json['model']}"}
            ).encode()
        await super().handle(request, reply)


LITELLM = Adapter(
    "litellm",
    "/v1",
    CHAT_FORMAT,
    lambda: VendorPrefixServer(key=KEY, models=["openai/gpt-4o"], reasoning=REASONING_TEXT),
    model="openai/gpt-4o",
    thinker="openai/gpt-4o",
    vision_model="openai/gpt-4o",
    listed=(),
    typo="",
    meant="",
)


def litellm_profile(server: StandIn, **keys: Any) -> Profile:
    """A profile whose model is the vendor openai's, at the stand-in."""
    return profile("litellm", f"{server.url}/v1", **{"model": "openai/m", **keys})
