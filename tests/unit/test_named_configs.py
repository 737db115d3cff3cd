"""LLMService with profiles by name: as a config, as fallbacks, and in a config's `fallback`."""

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from easyllm_cli import (
    AuthError,
    ConfigError,
    LLMService,
    NetworkError,
    Profile,
    collect,
    load_profile,
)
from easyllm_cli.config.profile import TrustedConfig
from tests.support.asking import Json, messages
from tests.support.binary import profile_toml
from tests.support.images import png
from tests.support.standins.openai import OpenAIServer
from tests.support.standins.server import StandIn

DOWN = "http://127.0.0.1:9/v1"  # nothing listens there
DOWN_CONFIG: Json = {"provider": "llamacpp", "endpoint": DOWN, "model": "m"}
NO_FALLBACKS: tuple[list[Json] | None, ...] = (None, [])  # those of the config, and none at all
MODELS = ("first", "second", "third")
KEY = "key-of-the-operator"


@pytest.fixture(name="server")
def a_server(monkeypatch: pytest.MonkeyPatch) -> Iterator[StandIn]:
    """A server that offers MODELS and demands the key in the variable MY_KEY."""
    monkeypatch.setenv("MY_KEY", KEY)
    with StandIn(OpenAIServer(models=MODELS, key=KEY).handle) as server:
        yield server


@pytest.fixture(name="path", autouse=True)
def profiles_file(server: StandIn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's profiles file: each of MODELS is a profile, and `down` falls back to `second`."""
    path = tmp_path / "profiles.toml"
    tables = [profile_toml(server, name=one, model=one, api_key_env="MY_KEY") for one in MODELS]
    tables.append(profile_toml(DOWN, name="down", fallback=["second:third", "first"]))
    path.write_text("".join(tables))
    path.chmod(0o600)
    monkeypatch.setenv("EASYLLM_PROFILES", str(path))
    return path


def asked_models(server: StandIn) -> list[str]:
    return [request.json["model"] for request in server.requests]


async def test_every_method_takes_a_name(server: StandIn, tmp_path: Path) -> None:
    image = tmp_path / "a.png"
    image.write_bytes(png(1, 1, (0, 0, 0)))
    async with LLMService() as service:
        assert (await service.chat("first", messages("hi")))["text"] == "Hello from first: hi"
        assert (await collect(service.stream("second", messages())))["model"] == "second"
        texts = [text async for text in service.chat_stream("second:third", messages("hi"))]
        assert "".join(texts) == "Hello from third: hi"
        assert await service.get_response("first", "hi") == "Hello from first: hi"
        assert (await service.get_response_with_cot("first", "hi"))["answer"]
        # A named profile is the operator's own, so a path given as text is read.
        assert (await service.vision_chat("first", "What?", str(image)))["text"]
    assert asked_models(server) == ["first", "second", "third", "first", "first", "first"]
    assert {request.headers["authorization"] for request in server.requests} == {f"Bearer {KEY}"}


async def test_fallbacks_take_names(server: StandIn) -> None:
    async with LLMService() as service:
        answer = await service.chat(DOWN_CONFIG, messages(), fallbacks=["third"])
        assert answer["model"] == "third"
        with pytest.raises(ConfigError, match='no profile "thrid"'):
            await service.chat(DOWN_CONFIG, messages(), fallbacks=["third", "thrid"])
    assert asked_models(server) == ["third"]


async def test_the_profiles_own_fallbacks_are_asked(server: StandIn) -> None:
    image = png(1, 1, (0, 0, 0))
    async with LLMService() as service:
        for down in ("down", load_profile("down")):
            assert (await service.chat(down, messages()))["model"] == "third"
            assert (await collect(service.stream(down, messages())))["model"] == "third"
            assert (await service.vision_chat(down, "What?", image))["model"] == "third"
    assert asked_models(server) == ["third"] * 6


async def test_the_callers_fallbacks_replace_the_profiles(server: StandIn) -> None:
    image = png(1, 1, (0, 0, 0))
    async with LLMService() as service:
        assert (await service.chat("down", messages(), fallbacks=["first"]))["model"] == "first"
        with pytest.raises(NetworkError):
            await service.chat("down", messages(), fallbacks=[])
        with pytest.raises(NetworkError):
            await service.vision_chat("down", "What?", image, fallbacks=[])
    assert asked_models(server) == ["first"]


async def test_no_fallback_follows_a_refusal(
    server: StandIn, monkeypatch: pytest.MonkeyPatch, path: Path
) -> None:
    monkeypatch.setenv("MY_KEY", "wrong")
    path.write_text(path.read_text().replace(DOWN, f"{server.url}/v1"))
    async with LLMService() as service:
        with pytest.raises(AuthError):
            await service.chat("down", messages())
    assert len(server.requests) == 1


async def test_a_fallbacks_own_fallback_is_not_followed(server: StandIn, path: Path) -> None:
    path.write_text(path.read_text() + profile_toml(DOWN, name="top", fallback=["down"]))
    async with LLMService() as service:
        with pytest.raises(NetworkError):
            await service.chat("top", messages())
    assert server.requests == []


async def test_names_are_looked_up_in_the_file_of_their_profile(
    server: StandIn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = tmp_path / "other" / "profiles.toml"
    other.parent.mkdir()
    other.write_text(
        profile_toml(DOWN, name="down", fallback=["first"])
        + profile_toml(server, name="first", model="second", api_key_env="MY_KEY")
    )
    monkeypatch.chdir(other.parent)
    profile = load_profile("down", path=other.name)
    monkeypatch.chdir("/")
    own = Profile(provider="llamacpp", endpoint=DOWN, model="m", fallback=["first"])
    async with LLMService() as service:
        assert (await service.chat(profile, messages()))["model"] == "second"
        assert (await service.chat(own, messages()))["model"] == "first"  # of the user's file


async def test_a_changed_file_is_noticed_by_the_next_call(server: StandIn, path: Path) -> None:
    async with LLMService() as service:
        await service.chat("first", messages())
        path.write_text(path.read_text().replace('model = "first"', 'model = "third"'))
        await service.chat("first", messages())
    assert asked_models(server) == ["first", "third"]


async def test_fallback_of_a_trusted_dict_holds_names_and_configs(server: StandIn) -> None:
    nested = {"provider": "openai", "endpoint": f"{server.url}/v1", "model": "second"}
    keyed = {**nested, "api_key_env": "MY_KEY"}
    async with LLMService(trust_configs=True) as service:
        for fallback, model in (
            (["first"], "first"),
            ([DOWN_CONFIG | {"model": "n"}, "down", "first:third", "first"], "third"),
            ([keyed], "second"),
            ([load_profile("third"), keyed], "third"),
        ):
            answer = await service.chat(DOWN_CONFIG | {"fallback": fallback}, messages())
            assert answer["model"] == model
        with pytest.raises(NetworkError):
            await service.chat(DOWN_CONFIG | {"fallback": [keyed]}, messages(), fallbacks=[])


async def test_fallback_of_a_database_row_is_trusted(server: StandIn) -> None:
    row = TrustedConfig(DOWN_CONFIG)  # as load_config_from_db returns it
    async with LLMService() as service:
        for fallback in (["first"], [DOWN_CONFIG | {"model": "n"}, "first"]):
            row["fallback"] = fallback
            assert (await service.chat(row, messages()))["model"] == "first"
    assert asked_models(server) == ["first"] * 2


async def test_an_untrusted_dict_names_no_profile(server: StandIn) -> None:
    async with LLMService() as service:
        for setting in ({"fallback": ["first"]}, {"extends": "first"}):
            for fallbacks in NO_FALLBACKS:
                with pytest.raises(ConfigError, match="not allowed in an untrusted") as caught:
                    await service.chat(DOWN_CONFIG | setting, messages(), fallbacks=fallbacks)
                assert "trust_configs=True" in caught.value.hint
            with pytest.raises(ConfigError, match="not allowed in an untrusted"):
                await service.chat(DOWN_CONFIG, messages(), fallbacks=[DOWN_CONFIG | setting])
        mixed = DOWN_CONFIG | {"fallback": [DOWN_CONFIG | {"model": "n"}, "first"]}
        with pytest.raises(ConfigError, match="not allowed in an untrusted"):
            await service.chat(mixed, messages())
    assert server.requests == []


async def test_a_nested_dict_is_as_untrusted_as_its_outer_one(
    server: StandIn, tmp_path: Path
) -> None:
    ran = tmp_path / "ran"
    nested = {"provider": "openai", "endpoint": f"{server.url}/v1", "model": "first"}
    async with LLMService() as service:
        for keys in (
            {"api_key_cmd": f"touch {ran}"}, {"api_key_env": "MY_KEY"}, {"api_key_file": "/x"},
            {"headers": {"X-A": "env:MY_KEY"}}, {"extends": "first"},
        ):  # fmt: skip
            config = DOWN_CONFIG | {"fallback": [nested, nested | keys]}
            for fallbacks in NO_FALLBACKS:
                with pytest.raises(ConfigError, match="not allowed in an untrusted") as caught:
                    await service.chat(config, messages(), fallbacks=fallbacks)
                assert caught.value.where == "fallback[1]"
        assert server.requests == []
        harmless = DOWN_CONFIG | {"fallback": [nested | {"api_key": KEY}]}
        assert (await service.chat(harmless, messages()))["model"] == "first"
    assert not ran.exists()


def endless() -> Json:
    config = dict(DOWN_CONFIG)
    config["fallback"] = [config]
    return config


BAD_FALLBACKS: list[tuple[Json, str]] = [
    (endless(), "has a fallback itself"),
    ({"fallback": [DOWN_CONFIG | {"fallback": ["first"]}]}, "has a fallback itself"),
    ({"fallback": [DOWN_CONFIG | {"fallback": [DOWN_CONFIG]}]}, "has a fallback itself"),
    ({"fallback": [7]}, "must be a dict or a Profile, not int"),
    ({"fallback": [["first"]]}, "must be a dict or a Profile, not list"),
    ({"fallback": ["first", {"provider": "openai", "top_p": 7}]}, "(fallback[1])"),
    ({"fallback": "first"}, "fallback must be a list"),
    ({"fallback": DOWN_CONFIG}, "fallback must be a list"),
    ({"fallback": ["frist"]}, 'no profile "frist"'),
    ({"fallback": [DOWN_CONFIG, "frist"]}, 'no profile "frist"'),
]


@pytest.mark.parametrize(("keys", "says"), BAD_FALLBACKS, ids=lambda value: str(value)[:50])
@pytest.mark.parametrize("trusted", [True, False])
async def test_bad_fallbacks_are_one_line(keys: Json, says: str, trusted: bool) -> None:
    with pytest.raises(ConfigError) as caught:
        await LLMService(trust_configs=trusted).chat(DOWN_CONFIG | keys, messages())
    assert "\n" not in str(caught.value)
    assert says in str(caught.value) or (not trusted and "untrusted" in str(caught.value))


async def test_only_a_dict_with_extends_is_warned_about(
    server: StandIn, path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path.write_text(path.read_text() + '[profiles.child]\nextends = "first"\n')
    config: dict[str, Any] = {
        "provider": "openai", "endpoint": f"{server.url}/v1", "model": "first",
        "api_key_env": "MY_KEY", "extends": "first", "fallback": ["second"],
    }  # fmt: skip
    with caplog.at_level(logging.WARNING, "easyllm_cli"):
        async with LLMService(trust_configs=True) as service:
            await service.chat("child", messages())
            assert caplog.records == []
            await service.chat(config, messages())
            await service.chat(config, messages())
    [record] = caplog.records
    assert "load_profile" in record.message
