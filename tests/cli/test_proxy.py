"""A proxy that is not running, and a profile that uses none."""

import pytest

from tests.support.binary import Easyllm, chat_answer_script, single_profile_toml
from tests.support.standins.script import script_handler
from tests.support.standins.server import StandIn

FAR = "http://far.invalid/v1"


@pytest.mark.parametrize(
    ("provider", "transport"), [("openai", "http"), ("openai", "sdk"), ("ollama", "http")]
)
def test_error_names_the_proxy_that_is_not_running(
    easyllm: Easyllm, provider: str, transport: str
) -> None:
    keys = {"proxy": "http://127.0.0.1:9", "transport": transport}
    ran = easyllm.run(
        "chat", "--no-retry", "hi", profiles=single_profile_toml(FAR, provider, **keys)
    )
    assert ran.code == 6
    assert "through the proxy 127.0.0.1:9" in ran.error_line
    assert ran.error_line.endswith(": is the proxy running?")


@pytest.mark.parametrize("transport", ["http", "sdk"])
def test_empty_proxy_setting_overrides_the_variables(easyllm: Easyllm, transport: str) -> None:
    with StandIn(script_handler(chat_answer_script("Hello"))) as server:
        env = {"http_proxy": server.url, "HTTP_PROXY": server.url}
        profiles = single_profile_toml(FAR, transport=transport)
        assert easyllm.run("chat", "hi", profiles=profiles, env=env).code == 0
        profiles = single_profile_toml(FAR, proxy="", transport=transport)
        ran = easyllm.run("chat", "hi", profiles=profiles, env=env)
        assert len(server.requests) == 1
    assert (ran.code, ran.stdout) == (6, b"")
    assert "no such host: far.invalid" in ran.error_line
