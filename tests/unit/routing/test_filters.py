"""Which candidates may be asked: each reason to drop one, and what only looks like a reason."""

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from easyllm_cli.config.model_list_cache import facts_path, load_model_facts, save_model_facts
from easyllm_cli.config.profile import Profile
from easyllm_cli.errors import AuthError, BudgetError, UsageError
from easyllm_cli.events import Model
from easyllm_cli.images import Image
from easyllm_cli.limits import rate_file_path
from easyllm_cli.limits.budget import find_ledgers
from easyllm_cli.limits.rate import RateFile
from easyllm_cli.messages import Message
from tests.support.images import png
from tests.support.routing.candidates import candidate, choose, question, table

OTHER = candidate("other")
OLLAMA = "http://127.0.0.1:11434"
OPENAI = "https://api.openai.com/v1"
PICTURE = Image.of_bytes(png(1, 1, (0, 0, 0)), "a.png")
WEBP = Image.of_bytes(b"RIFF\x1a\0\0\0WEBPVP8 " + b"\0" * 30, "a.webp")
MANY_WORDS = question("word " * 3000)
PRICE = {"input": 1.0, "output": 1_000_000.0}  # 1 dollar a token


@dataclass
class Case:
    """A candidate `mini`, and a part of the reason why it is not asked; "" = it may be."""

    profile: Profile
    reason: str
    messages: list[Message] = field(default_factory=question)
    env: dict[str, str] = field(default_factory=dict)
    before: Callable[[Path], None] = lambda home: None


def mini(provider: str = "openai", **settings: Any) -> Profile:
    return candidate("mini", provider, **settings)


def key_file(mode: int, text: str = "sk-test") -> Callable[[Path], None]:
    def write(home: Path) -> None:
        (home / "key").write_text(text)
        (home / "key").chmod(mode)

    return write


def server_says(url: str, **facts: Any) -> Callable[[Path], None]:
    return lambda _: save_model_facts("mini", url, [Model("model-of-mini", **facts)])


def spend(_: Path) -> None:
    ((_name, ledger),) = find_ledgers(mini(budget={"day": 1.0}))
    asyncio.run(ledger.reserve("test", 999_999_999, 999_999_999))


KEY = {"OPENAI_API_KEY": "sk-test"}
COMPANY = "https://llm.example.com/v1"
PLAIN = "http://llm.example.com/v1"
CASES = {
    # the key
    "no variable": Case(mini(), "OPENAI_API_KEY is not set"),
    "variable": Case(mini(), "", env=KEY),
    "empty variable": Case(mini(), "OPENAI_API_KEY is not set", env={"OPENAI_API_KEY": "  "}),
    "own variable": Case(mini(api_key_env="MINE"), "MINE is not set"),
    "own variable set": Case(mini(api_key_env="MINE"), "", env={"MINE": "sk-1"}),
    "own variable, provider's set": Case(mini(api_key_env="MINE"), "MINE is not set", env=KEY),
    "other host needs none": Case(mini(endpoint=COMPANY), ""),
    "other host names one": Case(mini(endpoint=COMPANY, api_key_env="MINE"), "MINE is not set"),
    "key itself": Case(mini(api_key="sk-test-1"), ""),
    "key file": Case(mini(api_key_file="~/key"), "", before=key_file(0o600)),
    "no key file": Case(mini(api_key_file="~/key"), "api_key_file cannot be read"),
    "open key file": Case(mini(api_key_file="~/key"), "api_key_file", before=key_file(0o644)),
    "empty key file": Case(mini(api_key_file="~/key"), "is empty", before=key_file(0o600, " ")),
    "key command is not run": Case(mini(api_key_cmd="false"), ""),
    "keyring is not opened": Case(mini(keyring="absent"), ""),
    "key over http": Case(mini(endpoint=PLAIN, api_key="sk-test-1"), "would go over http://"),
    "http without a key": Case(mini(endpoint=PLAIN), ""),
    "header's variable": Case(
        mini(endpoint=COMPANY, headers={"X-T": "env:TOKEN"}), "header X-T: TOKEN is not set"
    ),
    "header's variable set": Case(
        mini(endpoint=COMPANY, headers={"X-T": "env:TOKEN"}), "", env={"TOKEN": "t"}
    ),
    # the endpoint and the package
    "no endpoint": Case(mini("azure"), "no endpoint is known"),
    "no region": Case(mini("bedrock"), "AWS_REGION is not set"),
    "bad endpoint": Case(mini(endpoint="ftp://x"), "is not a URL"),
    "ollama needs no key": Case(mini("ollama"), ""),
    "own server needs no key": Case(mini("llamacpp"), ""),
    # images
    "image, unknown": Case(mini("ollama"), "", question("?", PICTURE)),
    "image, blind by the server": Case(
        mini("ollama"), "takes no images", question("?", PICTURE),
        before=server_says(OLLAMA, vision=False),
    ),
    "image, sees by the server": Case(
        mini("ollama"), "", question("?", PICTURE), before=server_says(OLLAMA, vision=True)
    ),
    "blind, but another server": Case(
        mini("ollama"), "", question("?", PICTURE),
        before=server_says("http://127.0.0.1:9", vision=False),
    ),
    "blind, and no image": Case(mini("ollama"), "", before=server_says(OLLAMA, vision=False)),
    "image of an earlier turn": Case(
        mini("ollama"), "takes no images",
        [*question("?", PICTURE), Message("assistant", ("A dot.",)), *question("Sure?")],
        before=server_says(OLLAMA, vision=False),
    ),
    "image type": Case(
        mini("xai"), "takes no image/webp", question("?", WEBP), {"XAI_API_KEY": "k"}
    ),
    "image type taken": Case(mini(), "", question("?", WEBP), KEY),
    # the context
    "context of the profile": Case(mini("ollama", num_ctx=2048), "its context 2048", MANY_WORDS),
    "context that is enough": Case(mini("ollama", num_ctx=8192), "", MANY_WORDS),
    "context not sure": Case(mini("ollama", num_ctx=3000), "", MANY_WORDS),
    "context of the server": Case(
        mini("openai", endpoint=COMPANY), "its context 1000", MANY_WORDS,
        before=server_says(COMPANY, context=1000),
    ),
    "context of the table is a concern": Case(mini(model="gpt-4"), "", question("a " * 9000), KEY),
    "context, system prompt counts": Case(
        mini("ollama", num_ctx=2048, system="word " * 3000), "its context 2048"
    ),
    # money
    "budget used up": Case(
        mini(budget={"day": 1.0}, price=PRICE, max_tokens=100), "are spent today", env=KEY,
        before=spend,
    ),
    "budget that is enough": Case(
        mini(budget={"day": 1000.0}, price=PRICE, max_tokens=100), "", env=KEY
    ),
    "budget, no price": Case(mini(budget={"day": 1.0}), "no price is known", env=KEY),
    "budget of a free model": Case(mini("ollama", budget={"day": 0.0}), ""),
    "max cost": Case(
        mini(price=PRICE, max_tokens=100).replace_set(max_cost=1.0), "may cost", env=KEY
    ),
    # what is no reason
    "no model named": Case(mini("ollama", model=None), ""),
    "schema": Case(mini().replace_set(schema={"type": "object"}), "", env=KEY),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
@pytest.mark.usefixtures("price_table")
def test_auto_3_a_filter_is_always_right(
    name: str, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    case = CASES[name]
    for variable, value in case.env.items():
        monkeypatch.setenv(variable, value)
    profile = case.profile
    if profile.api_key_file is not None:
        profile = profile.replace_set(api_key_file=str(home / "key"))
    case.before(home)
    route = choose([profile, OTHER], case.messages)
    row = next(row for row in route.rows if row.name == "mini")
    assert row.ok == (not case.reason), row.why
    assert case.reason in row.why
    assert [each.name for each in route.profiles] == ["mini", "other"][
        bool(case.reason) :
    ] or row.ok


def test_there_are_forty_cases() -> None:
    assert len(CASES) >= 40


def test_missing_package_and_model_file(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both where the package is there and where it is not: one of the two is dropped for it."""
    route = choose([candidate("mini", "local", model=str(home / "no.gguf")), OTHER])
    why = table(route)["mini"]
    assert "the model file does not exist" in why or "xllamacpp is not installed" in why
    assert [each.name for each in route.profiles] == ["other"]


def test_pause_and_what_may_not_fit_come_last_and_are_asked() -> None:
    paused = candidate("paused", "llamacpp", rpm=60)
    rate_file = RateFile(rate_file_path("http://127.0.0.1:8080/v1", None))
    asyncio.run(rate_file.report(pause_seconds=60))
    tight = candidate("tight", num_ctx=3500)
    wide = candidate("wide", num_ctx=30_000)
    route = choose([paused, tight, wide], MANY_WORDS)
    assert [each.name for each in route.profiles] == ["wide", "paused", "tight"]
    assert "its server asked for a pause" in table(route)["paused"]
    assert "may not fit its context of 3500 tokens" in table(route)["tight"]
    last = choose([wide, paused, OTHER])
    assert [each.name for each in last.profiles] == ["wide", "other", "paused"]
    # without a limit nobody keeps the pause
    free = choose([paused.replace_set(name="paused").__replace__(rpm=None), wide])
    assert free.profiles[0].name == "paused"


def test_model_that_does_not_reason_comes_last_only_when_asked_to() -> None:
    save_model_facts("mini", OLLAMA, [Model("model-of-mini", reasoning=False)])
    both = [mini("ollama"), OTHER]
    assert choose(both).profiles[0].name == "mini"
    route = choose([each.replace_set(think=True) for each in both])
    assert [each.name for each in route.profiles] == ["other", "mini"]
    assert "does not reason" in table(route)["mini"]


@pytest.mark.parametrize(
    ("profiles", "error"),
    [
        ([candidate("a", "openai"), candidate("b", "groq")], AuthError),
        ([candidate("a", "openai"), candidate("b", "azure")], UsageError),
        (
            [
                candidate("a", "groq", endpoint=COMPANY, price=PRICE, max_tokens=9).replace_set(
                    max_cost=0.5
                )
            ]
            * 2,
            BudgetError,
        ),
    ],
)
def test_nobody_is_left(profiles: list[Profile], error: type[Exception]) -> None:
    route = choose([each.replace_set(name=name) for each, name in zip(profiles, "ab", strict=True)])
    assert route.profiles == []
    assert route.to_json()["chosen"] is None
    with pytest.raises(error, match="none of the candidates can be asked") as caught:
        route.require_candidate()
    assert "a: " in str(caught.value)
    assert "b: " in str(caught.value)


def test_saved_facts_that_are_damaged_are_unknown(home: Path) -> None:
    save_model_facts("mini", OLLAMA, [Model("m", context=7, vision=False), Model("n")])
    assert load_model_facts("mini", OLLAMA) == {"m": {"context": 7, "vision": False}}
    wrong_models = json.dumps({"endpoint": OLLAMA, "models": [1]})
    for text in ("", "[]", '{"endpoint": "x"}', wrong_models):
        facts_path("mini").write_text(text)
        assert load_model_facts("mini", OLLAMA) == {}
    wrong_facts = {"m": {"context": "big", "vision": 3}}
    facts_path("mini").write_text(json.dumps({"endpoint": OLLAMA, "models": wrong_facts}))
    assert load_model_facts("mini", OLLAMA) == {"m": {}}
