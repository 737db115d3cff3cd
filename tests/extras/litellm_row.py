"""litellm's row for the table of adapters, and the warnings that are its own affair."""

import json
from typing import Any

import pytest

from easyllm_cli.config.profile import Profile
from tests.support.adapters import CHAT, KEY, THOUGHT, Adapter
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


class Behind(OpenAIServer):
    """Gets the vendor's name, which litellm takes off the model's, put before it again."""

    async def handle(self, request: Request, reply: Reply) -> None:
        if request.body:
            request.body = json.dumps(
                {**request.json, "model": f"openai/{request.json['model']}"}
            ).encode()
        await super().handle(request, reply)


LITELLM = Adapter(
    "litellm", "/v1", CHAT, lambda: Behind(key=KEY, models=["openai/gpt-4o"], reasoning=THOUGHT),
    model="openai/gpt-4o", thinker="openai/gpt-4o", seer="openai/gpt-4o",
    listed=(), typo="", meant="",
)  # fmt: skip


def asking(server: StandIn, **keys: Any) -> Profile:
    """A profile whose model is the vendor openai's, at the stand-in."""
    return profile("litellm", f"{server.url}/v1", **{"model": "openai/m", **keys})
