"""No variable of ours in a traceback holds the key, also with litellm and Google's SDK."""

from typing import Any

import pytest

from easyllm_cli.errors import EasyLLMError
from tests.extras.litellm_row import IGNORE_LITELLM_WARNINGS, litellm_profile
from tests.support.adapters import HTTP_ADAPTERS
from tests.support.asking import get_completion
from tests.support.standins.script import script_handler
from tests.support.standins.server import StandIn, unreachable_server
from tests.unit.test_traceback_locals import FAILS, KEY, variables_with_the_key

pytestmark = IGNORE_LITELLM_WARNINGS
GEMINI = next(adapter for adapter in HTTP_ADAPTERS if adapter.provider == "gemini")


def profile_over(way: str, server: StandIn) -> Any:
    keys: dict[str, Any] = {"api_key": KEY, "max_retries": 0, "timeout": {"first_token": 0.3}}
    if way == "litellm":
        return litellm_profile(server, **keys)
    return GEMINI.profile(server, **keys, transport="sdk")


@pytest.mark.parametrize("way", ["litellm", "google"])
async def test_no_key_in_our_variables(way: str) -> None:
    for name, script in FAILS.items():
        with StandIn(script_handler(script)) as server:
            profile = profile_over(way, server)
            with pytest.raises(EasyLLMError) as caught:
                await get_completion(profile)
        ours = [
            variable
            for variable in variables_with_the_key(caught.value)
            if "/easyllm_cli/" in variable
        ]
        assert ours == [], name
    with unreachable_server() as server, pytest.raises(EasyLLMError) as caught:
        await get_completion(profile_over(way, server))
    ours = [
        variable for variable in variables_with_the_key(caught.value) if "/easyllm_cli/" in variable
    ]
    assert ours == []
