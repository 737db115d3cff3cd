"""An auto profile in the library: its candidates alone are asked, and when the next one is."""

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from easyllm_cli import LLMService
from easyllm_cli.completion import Completion
from easyllm_cli.config.auto_profile import find_candidates
from easyllm_cli.config.profile import Profile, TrustedConfig
from easyllm_cli.config.profiles_file import Profiles
from easyllm_cli.errors import (
    SCHEMA_MISMATCH,
    AuthError,
    BudgetError,
    BusyError,
    ConfigError,
    EasyLLMError,
    IncompleteAnswer,
    MalformedAnswer,
    NotFoundError,
    RefusedError,
)
from easyllm_cli.events import Retrying, RoutineNote, Start
from easyllm_cli.history import history_path
from easyllm_cli.history.store import open_store
from easyllm_cli.messages import Message
from easyllm_cli.pipeline.call import Call
from easyllm_cli.providers import provider_for
from easyllm_cli.routing import choose_route
from tests.support.asking import messages
from tests.support.binary import chat_answer_script, profile_toml
from tests.support.profile_files import write_and_read_profiles
from tests.support.standins.script import Cut, Script, chunk, compact, script_handler
from tests.support.standins.server import StandIn

AUTO = '[profiles.auto]\nprovider = "auto"\ncandidates = ["a", "b", "c"]\n'
CODE = "Write a Python function that reverses a list."
HELLO = chat_answer_script("Hello")
CUT = Script(chunk("Hel"), Cut())
BUSY = Script(compact({"error": {"message": "busy"}}), status=503)
REFUSED = Script(compact({"error": {"message": "I may not"}}), status=400)
NAMES = ("a", "b", "c", "outside")


class Servers:
    """One stand-in for each profile, and their profiles file; `outside` is no candidate."""

    def __init__(self, stack: ExitStack, file: Path, scripts: dict[str, list[Script]]) -> None:
        self.servers = {
            name: stack.enter_context(StandIn(script_handler(*scripts.get(name, [HELLO] * 4))))
            for name in NAMES
        }
        self.file = file

    def write(self, auto: str = AUTO, **settings: Any) -> Profiles:
        text = auto + "".join(
            profile_toml(server, name=name, max_retries=0, model=f"model-{name}", **settings)
            for name, server in self.servers.items()
        )
        return write_and_read_profiles(self.file, text)

    def auto(self, settings: str = "") -> Profile:
        return self.write(AUTO + settings).resolve_profile("auto")

    @property
    def asked(self) -> list[str]:
        """The profiles whose server got a request, once for each."""
        return [name for name, server in self.servers.items() for _ in server.requests]


Start_ = Callable[..., Servers]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start_]:
    with ExitStack() as stack:
        yield lambda **scripts: Servers(stack, tmp_path / "profiles.toml", scripts)


class Outcome:
    """One request to a service."""

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self.events: list[Any] = []
        self.error: EasyLLMError | None = None

    @property
    def starts(self) -> list[str]:
        return [event.profile for event in self.events if isinstance(event, Start)]

    @property
    def route(self) -> dict[str, Any]:
        assert self.calls[0].route is not None
        return self.calls[0].route


async def ask(profile: Profile, text: str = "hi", **options: Any) -> Outcome:
    outcome = Outcome()
    service = options.pop("service", None) or LLMService()
    options = {"shown": (), **options}
    try:
        async for event in service.stream(
            profile, messages(text), on_call=outcome.calls.append, **options
        ):
            outcome.events.append(event)
    except EasyLLMError as error:
        outcome.error = error
    await service.aclose()
    return outcome


async def test_library_asks_the_chosen_one_and_tells_why(start: Start_) -> None:
    servers = start()
    outcome = await ask(servers.auto('strong = { code = "b" }\n'), CODE)
    assert servers.asked == ["b"]
    assert outcome.starts == ["b"]
    note = next(event for event in outcome.events if isinstance(event, RoutineNote))
    assert note.text.startswith("auto chose b: strong.code (task code: ")
    assert outcome.calls[0].notes == [note.text]
    assert (outcome.route["task"], outcome.route["chosen"]) == ("code", "b")
    assert [row["profile"] for row in outcome.route["table"]] == ["b", "a", "c"]
    chosen = outcome.calls[0].completion()
    assert (chosen["model"], chosen["provider"]) == ("model-b", "openai")


async def test_every_method_takes_an_auto_profile(start: Start_, monkeypatch: Any) -> None:
    whole = {"choices": [{"message": {"content": "Hello"}, "finish_reason": "stop"}]}
    plain = Script(compact(whole), content_type="application/json")
    servers = start(a=[plain, plain, HELLO])
    auto = servers.auto()
    async with LLMService() as service:
        assert (await service.chat(auto, messages()))["text"] == "Hello"
        monkeypatch.setenv("EASYLLM_PROFILES", str(servers.file))
        assert (await service.chat("auto", messages()))["text"] == "Hello"
        config = TrustedConfig(provider="auto", candidates=["a", "b"])
        texts = [text async for text in service.chat_stream(config, messages())]
    assert texts == ["Hello"]
    assert servers.asked == ["a"] * 3


async def test_auto_2_nobody_else_is_asked_even_if_all_fail(start: Start_) -> None:
    servers = start(**{name: [BUSY] * 4 for name in NAMES})
    # a candidate's own fallback is not followed
    auto = servers.write(fallback=["outside"]).resolve_profile("auto")
    outcome = await ask(auto)
    assert isinstance(outcome.error, BusyError)
    assert servers.asked == ["a", "b", "c"]


async def test_auto_4_and_8_the_choice_sends_nothing(start: Start_) -> None:
    servers = start()
    for settings in ('prefer = "fast"\n', 'strong = { code = "c" }\n', 'prefer = "cheap"\n'):
        auto = servers.auto(settings)
        route = choose_route(
            auto, find_candidates(auto), [Message("user", (f"{CODE} Zebra",))], with_estimates=True
        )
        assert "Zebra" not in json.dumps(route.to_json())
        assert "zebra" not in json.dumps(route.to_json())
    assert servers.asked == []
    assert all(server.connections == 0 for server in servers.servers.values())


CHECKS = {
    "cut": (CUT, None, "incomplete"),
    "empty": (chat_answer_script(), None, "incomplete"),
    "refused": (REFUSED, None, "refused"),
    "schema": (HELLO, SCHEMA_MISMATCH, "schema"),
}


def reject_first(code: str | None) -> Callable[[Completion, bool], str] | None:
    """A verdict that rejects the answers of model-a."""
    if code is None:
        return None

    def judge(answer: Completion, limited: bool) -> str:
        if answer["model"] == "model-a":
            raise MalformedAnswer("the answer does not fit", code=code)
        return ""

    return judge


@pytest.mark.parametrize("name", CHECKS)
async def test_auto_7_the_next_is_asked_after_a_check_that_escalate_names(
    name: str, start: Start_
) -> None:
    script, code, check = CHECKS[name]
    named, unnamed = start(a=[script] * 3), start(a=[script] * 3)
    verdict = reject_first(code)
    outcome = await ask(named.auto(f'escalate = ["{check}"]\n'), verdict=verdict)
    assert outcome.error is None
    assert outcome.starts == ["a", "b"]
    retrying = next(event for event in outcome.events if isinstance(event, Retrying))
    assert retrying.why.endswith("asking profile b")
    others = [other for _, _, other in CHECKS.values() if other != check]
    outcome = await ask(unnamed.auto(f"escalate = {json.dumps(others)}\n"), verdict=verdict)
    assert isinstance(outcome.error, IncompleteAnswer | RefusedError)
    assert unnamed.asked[0] == "a"
    assert "b" not in unnamed.asked


async def test_auto_7_once_for_each_candidate_in_the_users_order(start: Start_) -> None:
    servers = start(**{name: [REFUSED] * 9 for name in NAMES})
    auto = servers.auto('escalate = ["refused"]\nstrong = { code = "c" }\n')
    outcome = await ask(auto, CODE)
    assert outcome.starts == ["c", "a", "b"]
    assert servers.asked == ["a", "b", "c"]
    assert isinstance(outcome.error, RefusedError)


@pytest.mark.parametrize("script", [CUT, chat_answer_script("Hel", finish="length")])
async def test_auto_7_never_after_something_was_shown(script: Script, start: Start_) -> None:
    servers = start(a=[script] * 3)

    def judge(answer: Completion, limited: bool) -> str:
        raise MalformedAnswer("the answer does not fit", code=SCHEMA_MISMATCH)

    auto = servers.auto('escalate = ["incomplete", "schema", "refused", "code"]\n')
    outcome = await ask(auto, shown=("text",), verdict=judge)
    assert isinstance(outcome.error, IncompleteAnswer)
    assert servers.asked == ["a"]


async def test_by_default_an_incomplete_answer_escalates_and_a_refusal_does_not(
    start: Start_,
) -> None:
    cut, refused, never = start(a=[CUT] * 2), start(a=[REFUSED]), start(a=[CUT] * 2)
    assert (await ask(cut.auto())).error is None
    assert (await ask(refused.auto())).starts == ["a"]
    assert (await ask(never.auto("escalate = []\n"))).starts == ["a"]
    assert never.asked == ["a"]


async def test_busy_and_unreachable_candidates_are_replaced_whatever_escalate_says(
    start: Start_,
) -> None:
    servers = start(a=[BUSY])
    outcome = await ask(servers.auto("escalate = []\n"))
    assert outcome.error is None
    assert outcome.starts == ["a", "b"]


async def test_each_candidate_has_its_own_system_prompt(start: Start_) -> None:
    servers = start(a=[BUSY])
    servers.write()
    text = servers.file.read_text().replace('model = "model-b"', 'model = "model-b"\nsystem = "B."')
    auto = write_and_read_profiles(servers.file, text).resolve_profile("auto")
    await ask(auto)
    sent = servers.servers["b"].requests[0].json["messages"]
    assert [each["content"] for each in sent] == ["B.", "hi"]
    assert len(servers.servers["a"].requests[0].json["messages"]) == 1


async def test_nobody_left_is_an_error_before_any_request(start: Start_) -> None:
    servers = start()
    auto = servers.write(api_key_env="ABSENT").resolve_profile("auto")
    outcome = await ask(auto)
    assert isinstance(outcome.error, AuthError)
    assert "a: ABSENT is not set; b: ABSENT is not set" in str(outcome.error)
    assert servers.asked == []


async def test_what_a_service_may_cost_holds_for_every_candidate(start: Start_) -> None:
    servers = start()
    price = {"input": 1.0, "output": 1_000_000.0}
    auto = servers.write(price=price, max_tokens=100).resolve_profile("auto")
    outcome = await ask(auto, service=LLMService(max_cost=0.5))
    assert isinstance(outcome.error, BudgetError)
    assert servers.asked == []


async def test_history_keeps_the_route_without_words_of_a_prompt_that_is_not_kept(
    start: Start_,
) -> None:
    servers = start()
    for mode in ("full", "metadata"):
        auto = servers.auto(f'strong = {{ code = "b" }}\nhistory = "{mode}"\n')
        await ask(auto, CODE, service=LLMService(history=True))
    with open_store(history_path(), create=False) as store:
        full, metadata = store.select("SELECT profile, prompt, route FROM call ORDER BY n")
    assert (full["profile"], metadata["profile"]) == ("b", "b")
    assert json.loads(full["route"])["reasons"]
    route = json.loads(metadata["route"])
    assert (route["task"], route["chosen"], route["reasons"]) == ("code", "b", [])
    assert metadata["prompt"] is None


async def test_replay_chooses_what_was_recorded(
    start: Start_, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Keys and facts may be others where a recording answers; the answer must not be."""
    servers = start()
    monkeypatch.setenv("KEY_OF_B", "sk-b-1234567")
    file = tmp_path / "recording.jsonl"

    def auto(settings: str) -> Profile:
        servers.write(AUTO + settings)
        text = servers.file.read_text().replace(
            'model = "model-b"', 'model = "model-b"\napi_key_env = "KEY_OF_B"'
        )
        return write_and_read_profiles(servers.file, text).resolve_profile("auto")

    strong = auto('strong = { code = "b" }\n')
    recorded = await ask(strong, CODE, service=LLMService(record=str(file)))
    monkeypatch.delenv("KEY_OF_B")
    replayed = await ask(auto(""), CODE, service=LLMService(replay=str(file)))
    assert replayed.error is None
    assert recorded.starts == replayed.starts == ["b"]
    assert servers.asked == ["b"]
    other = await ask(auto(""), "another question", service=LLMService(replay=str(file)))
    assert isinstance(other.error, NotFoundError)
    assert servers.asked == ["b"]


WRONG = {
    'candidates = ["a"]': "needs at least 2 candidates",
    "": "needs at least 2 candidates",
    'candidates = ["a", "a"]': "needs at least 2 candidates",
    'candidates = ["a", "x"]': 'candidates names "x", which does not exist',
    'candidates = ["a", "x:m"]': 'candidates names "x:m", which does not exist',
    'candidates = ["a", "auto"]': 'candidates names "auto", which chooses itself',
    'candidates = ["a", "b"]\nmodel = "m"': "chooses the model itself, and m is named",
    'candidates = ["a", "b"]\ntemperature = 1': "temperature has no place beside",
    'candidates = ["a", "b"]\nsystem = "S"': "system has no place beside",
    'candidates = ["a", "b"]\nfallback = ["c"]': "fallback has no place beside",
    'candidates = ["a", "b"]\nbudget = { day = 1 }': "budget has no place beside",
    'candidates = ["a", "b"]\nstrong = { code = "c" }': 'strong.code = "c" is none of the',
    'candidates = ["a", "b"]\nstrong = { coding = "a" }': 'unknown task "coding"',
    'candidates = ["a", "b"]\nescalate = ["wrong"]': 'unknown check "wrong"',
    'candidates = ["a", "b"]\nprefer = "best"': 'prefer = "best" is not known',
    'candidates = "a"': "candidates must be a list of texts",
}
CANDIDATES = "".join(f'[profiles.{name}]\nprovider = "ollama"\nmodel = "m"\n' for name in "abc")


@pytest.mark.parametrize("settings", WRONG)
def test_wrong_auto_profile_is_refused_with_its_place(settings: str, tmp_path: Path) -> None:
    text = f'{CANDIDATES}[profiles.auto]\nprovider = "auto"\n{settings}\n'
    profiles = write_and_read_profiles(tmp_path / "profiles.toml", text)
    with pytest.raises(ConfigError, match=r"profiles\.toml:1[123]:") as caught:
        find_candidates(profiles.resolve_profile("auto"), profiles)
    assert WRONG[settings] in str(caught.value)


def test_auto_profile_may_be_extended_and_named_like_a_provider(tmp_path: Path) -> None:
    text = (
        CANDIDATES + AUTO + '[profiles.mine]\nextends = "auto"\nprefer = "fast"\n'
        '[profiles.openai]\nprovider = "auto"\ncandidates = ["a:x", "ollama:y"]\n'
    )
    profiles = write_and_read_profiles(tmp_path / "profiles.toml", text)
    mine = profiles.resolve_profile("mine")
    assert (mine.prefer, [each.name for each in find_candidates(mine, profiles)]) == (
        "fast", ["a", "b", "c"],
    )  # fmt: skip
    named = find_candidates(profiles.resolve_profile("openai"), profiles)
    assert [(each.name, each.model) for each in named] == [("a", "x"), ("ollama", "y")]


def test_untrusted_config_dict_cannot_name_candidates() -> None:
    with pytest.raises(ConfigError, match="candidates is not allowed in an untrusted config"):
        Profile.from_config({"provider": "auto", "candidates": ["a", "b"]})


def test_auto_profile_is_no_provider_and_no_fallback(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="chooses a profile for a question"):
        provider_for(Profile.of({"provider": "auto", "candidates": ["a", "b"]}))
