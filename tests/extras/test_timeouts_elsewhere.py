"""Timeouts with litellm, Google's SDK and openai 2.x."""

from pathlib import Path
from typing import Any

import pytest

from easyllm_cli.config.profile import Profile
from easyllm_cli.errors import FirstTokenTimeout, IncompleteAnswer
from easyllm_cli.providers.litellm.provider import LiteLLMProvider
from tests.extras.litellm_row import IGNORE_LITELLM_WARNINGS
from tests.support.adapters import KEY
from tests.support.asking import get_completion, profile
from tests.support.flooding import FLOODS, serve_flood
from tests.support.over_tls import SlowToConnect, serve_tls
from tests.support.proxying import slow_proxy
from tests.support.standins.script import DONE, Script, chunk, compact, script_handler
from tests.support.standins.server import StandIn
from tests.unit.transport.test_timeouts import ENOUGH, LIMIT, ended

pytestmark = IGNORE_LITELLM_WARNINGS
assert LiteLLMProvider.provider == "litellm"  # import it before the tests: that takes seconds
HELLO = {"candidates": [{"content": {"role": "model", "parts": [{"text": "Hello"}]}}]}
NOTHING = compact({"candidates": [{"content": {"role": "model", "parts": [{"text": ""}]}}]}) + b","
STOP = compact({"candidates": [{"content": {"role": "model"}, "finishReason": "STOP"}]})
# Long frames, because litellm takes a millisecond for each and does not yield to other tasks
# before its buffer is empty.
LONG = b": " + b"x" * 10_000 + b"\n\n"
# (settings of the profile, the answer's first piece, a frame without content to repeat for ever).
WAYS: dict[str, tuple[dict[str, Any], bytes, bytes]] = {
    "litellm": ({"provider": "litellm", "model": "m"}, chunk("Hello"), LONG + chunk("")),
    "google": (
        {"provider": "gemini", "model": "gemini-2.0-flash", "transport": "sdk"},
        compact(HELLO) + b",", NOTHING,
    ),
    "openai-2": ({"provider": "openai", "transport": "sdk"}, chunk("Hello"), FLOODS["openai"]),
}  # fmt: skip
over_every_way = pytest.mark.parametrize("way", WAYS)


def profile_over(way: str, url: str, **keys: Any) -> Profile:
    base = "/v1beta" if way == "google" else "/v1"
    settings: dict[str, Any] = {"api_key": KEY, "max_retries": 0, **WAYS[way][0], **keys}
    return profile(settings.pop("provider"), url + base, **settings)


def content_type(way: str) -> str:
    return "application/json" if way == "google" else "text/event-stream"


@over_every_way
async def test_empty_frames_do_not_renew_the_first_token_timeout(way: str) -> None:
    if way == "litellm":  # its first request imports more modules, and must not be cancelled then
        with StandIn(script_handler(Script(chunk("Hello"), chunk(finish="stop"), DONE))) as server:
            await get_completion(profile_over(way, server.url))
    opening = b"[" if way == "google" else b": ping\n\n"
    with serve_flood(WAYS[way][2], content_type(way), opening) as url:
        error, took = await ended(profile_over(way, url, timeout={"first_token": LIMIT}))
    assert type(error) is FirstTokenTimeout
    assert took >= LIMIT


@over_every_way
async def test_empty_frames_after_text_do_not_renew_the_idle_timeout(way: str) -> None:
    opening = b"[" if way == "google" else b""
    with serve_flood(WAYS[way][2], content_type(way), opening + WAYS[way][1]) as url:
        error, took = await ended(profile_over(way, url, timeout={"idle": LIMIT}))
    assert type(error) is IncompleteAnswer
    assert error.partial is not None
    assert error.partial["text"] == "Hello"
    assert took >= LIMIT


@pytest.mark.parametrize(
    ("way", "proxy"),
    [
        ("google", True),
        ("openai-2", False),
        pytest.param("google", False, marks=pytest.mark.full),
        pytest.param("openai-2", True, marks=pytest.mark.full),
    ],
)
async def test_connecting_may_take_longer_than_first_token(
    way: str, proxy: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = {
        "google": b"[" + compact(HELLO) + b"," + STOP + b"]",
        "openai-2": chunk("Hello") + chunk(finish="stop") + DONE,
    }
    monkeypatch.setattr(SlowToConnect, "connecting", 1.5 * ENOUGH)
    monkeypatch.setattr(SlowToConnect, "sends", answers[way])
    monkeypatch.setattr(SlowToConnect, "content_type", content_type(way))
    monkeypatch.setattr(SlowToConnect, "drip", b"")
    authority = tmp_path / "authority.pem"
    with serve_tls(SlowToConnect, authority) as url, slow_proxy(1.2 * ENOUGH) as tunnel:
        completion = await get_completion(profile_over(
            way, url, ca_bundle=str(authority), proxy=tunnel if proxy else "",
            timeout={"connect": 10, "first_token": ENOUGH},
        ))  # fmt: skip
    assert completion["text"] == "Hello"
