"""litellm's row for the table of adapters, and a mark that ignores litellm's warnings."""

import json
from typing import Any

import pytest

from easyllm_cli.config.profile import Profile
from tests.support.adapters import CHAT_FORMAT, KEY, REASONING_TEXT, Adapter
from tests.support.asking import profile
from tests.support.standins.openai import OpenAIServer
from tests.support.standins.server import Reply, Request, StandIn

# litellm silences pydantic's warnings when it is imported, but pytest resets filters for every
# test. It also keeps connections open for a next call, which a test's event loop never makes.
IGNORE_LITELLM_WARNINGS = pytest.mark.filterwarnings(
    "ignore:.*ReadOnly:UserWarning",
    "ignore::DeprecationWarning",
    "ignore::ResourceWarning",
    "ignore::pytest.PytestUnraisableExceptionWarning",
)


class VendorPrefixServer(OpenAIServer):
    """Puts the vendor's name, which litellm removes, back in front of the model's name."""

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
    """Return a profile for the stand-in, with a model of the vendor openai."""
    return profile("litellm", f"{server.url}/v1", **{"model": "openai/m", **keys})
