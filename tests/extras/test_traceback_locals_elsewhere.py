"""The key in the variables of a traceback, where an extra's package sends: in none of ours."""

from typing import Any

import pytest

from easyllm_cli.errors import EasyLLMError
from tests.extras.litellm_row import ITS_OWN_WARNINGS, litellm_profile
from tests.support.adapters import HTTP_ADAPTERS
from tests.support.asking import get_completion
from tests.support.standins.script import script_handler
from tests.support.standins.server import StandIn, unreachable_server
from tests.unit.test_traceback_locals import FAILS, KEY, variables_with_the_key

pytestmark = ITS_OWN_WARNINGS
GEMINI = next(one for one in HTTP_ADAPTERS if one.provider == "gemini")


def asked_over(way: str, server: StandIn) -> Any:
    keys: dict[str, Any] = {"api_key": KEY, "max_retries": 0, "timeout": {"first_token": 0.3}}
    if way == "litellm":
        return litellm_profile(server, **keys)
    return GEMINI.profile(server, **keys, transport="sdk")


@pytest.mark.parametrize("way", ["litellm", "google"])
async def test_in_none_of_our_own(way: str) -> None:
    for name, script in FAILS.items():
        with StandIn(script_handler(script)) as server:
            asked = asked_over(way, server)
            with pytest.raises(EasyLLMError) as caught:
                await get_completion(asked)
        ours = [one for one in variables_with_the_key(caught.value) if "/easyllm_cli/" in one]
        assert ours == [], name
    with unreachable_server() as server, pytest.raises(EasyLLMError) as caught:
        await get_completion(asked_over(way, server))
    assert [one for one in variables_with_the_key(caught.value) if "/easyllm_cli/" in one] == []
