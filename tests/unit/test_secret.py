"""A key never prints, serialises or pickles, and is cut out of every text (promise 58)."""

import copy
import gc
import json
import pickle
from dataclasses import asdict
from typing import Any

import pytest

from easyllm_cli.config.profile import Profile
from easyllm_cli.secret import LONG_KEY_CHARS, MASK, SENSITIVE_NAME, Secret, redact, retain_secrets

KEY = "sk-0123456789abcdef"


def test_it_never_prints() -> None:
    secret = Secret(KEY)
    for text in (str(secret), repr(secret), f"{secret}", f"{secret!r}", f"{secret!s}",
                 "%s %r" % (secret, secret), f"{[secret]} {({'k': secret})}", ascii(secret)):  # noqa: UP031  # fmt: skip
        assert KEY not in text
        assert MASK in text


def test_it_prints_in_no_error_of_a_format() -> None:
    with pytest.raises(TypeError) as caught:
        f"{Secret(KEY):>40}"
    assert KEY not in str(caught.value)


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_it_never_pickles(protocol: int) -> None:
    for value in (Secret(KEY), [Secret(KEY)], Profile.of({"api_key": KEY})):
        with pytest.raises(TypeError):
            pickle.dumps(value, protocol)


def test_it_is_never_taken_apart() -> None:
    for take in (vars, dict, list):
        taken: Any = take
        with pytest.raises(TypeError):
            taken(Secret(KEY))


def test_a_copy_of_it_is_itself() -> None:
    """So that what holds one can be copied, and no second one lives on unknown."""
    secret = Secret(KEY)
    assert copy.copy(secret) is secret
    assert copy.deepcopy([secret])[0] is secret


def test_a_config_a_profile_and_a_service_can_be_copied() -> None:
    config = {"provider": "openai", "api_key": Secret(KEY), "options": {"a": [1]}}
    profile = Profile.of(config)
    for made in (copy.copy, copy.deepcopy):
        assert made(config) == config
        assert made(profile) == profile
    other = copy.deepcopy(profile)
    assert other.options is not profile.options
    taken = asdict(profile)
    assert taken["api_key"] is profile.api_key
    assert taken["timeout"] == {"connect": 10, "first_token": 120, "idle": 60, "total": None}
    assert KEY not in repr(taken)


def test_it_never_becomes_json() -> None:
    with pytest.raises(TypeError) as caught:
        json.dumps({"key": Secret(KEY)})
    assert KEY not in str(caught.value)
    assert KEY not in json.dumps({"key": Secret(KEY)}, default=str)


def test_only_reveal_gives_the_value() -> None:
    assert Secret(KEY).reveal() == KEY


def test_it_is_compared_by_value_and_with_its_own_kind_only() -> None:
    assert Secret(KEY) == Secret(KEY)
    assert len({Secret(KEY), Secret(KEY)}) == 1
    assert Secret(KEY) != Secret("other")
    assert Secret(KEY) != KEY


def test_it_is_cut_out_of_every_text() -> None:
    secret = Secret(KEY)
    assert redact(f"Bearer {KEY}, twice {KEY}") == f"Bearer {MASK}, twice {MASK}"
    assert redact("nothing of it") == "nothing of it"
    del secret


def test_it_is_cut_out_as_long_as_one_of_the_same_value_lives() -> None:
    first = Secret("sk-same-value-1")
    second = Secret("sk-same-value-1")
    del first
    gc.collect()
    assert redact("sk-same-value-1") == MASK
    del second


def test_a_command_forgets_no_key_and_a_library_every_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "easyllm_cli.secret._retained_secrets", None
    )  # which is put back afterwards
    Secret("lib-7Qm2xVb9")
    retain_secrets()
    Secret("cmd-T4LwRn8Yc")
    retain_secrets()
    gc.collect()
    assert redact("lib-7Qm2xVb9 cmd-T4LwRn8Yc") == f"lib-7Qm2xVb9 {MASK}"


def test_a_key_that_begins_another_leaves_no_rest() -> None:
    kept = []
    for number in range(8):  # a set's order is no order: one pair alone may come out right
        short, long = f"sk-prefix-{number}", f"sk-prefix-{number}-and-more"
        kept += [Secret(short), Secret(long)]
        assert redact(f"{long} {short}") == f"{MASK} {MASK}"


def test_empty_and_tiny_keys_do_not_garble_text() -> None:
    kept = [Secret(""), Secret("a"), Secret("abc")]
    assert redact("a cab, abc") == "a cab, abc"
    del kept


@pytest.mark.parametrize("key", ["x", "a", "EX", "Bearer x", "Bearer a"])
def test_a_key_that_is_none_garbles_nothing(key: str) -> None:
    kept = Secret(key)
    assert redact("the next EXAMPLE") == "the next EXAMPLE"
    del kept


def test_a_word_in_a_password_is_no_piece_of_it() -> None:
    kept = Secret("hunter2-of-the-database")
    assert redact("no such database file: unter2-of-the") == f"no such database file: {MASK}"
    whole = Secret("swordfish")
    assert redact("swordfish") == MASK
    del kept, whole


def test_a_word_that_many_give_for_a_key_may_be_looked_past() -> None:
    kept = [Secret("Bearer llama"), Secret(KEY)]
    assert redact(f"llama/x {KEY}", LONG_KEY_CHARS) == f"llama/x {MASK}"
    assert redact(f"llama/x {KEY}") == f"{MASK}/x {MASK}"
    del kept


@pytest.mark.parametrize(
    ("name", "secret"),
    [
        ("Authorization", True), ("Proxy-Authorisation", True), ("X-Auth", True),
        ("x-goog-api-key", True), ("Api_Key", True), ("X-Auth-Token", True),
        ("Set-Cookie", True), ("client_secret", True), ("PASSWORD", True),
        ("X-Author", False), ("X-Authority", False), ("X-Keywords", False),
        ("X-Keyspace", False), ("max_tokens", False), ("X-Title", False),
    ],
)  # fmt: skip
def test_which_names_hold_a_secret(name: str, secret: bool) -> None:
    assert bool(SENSITIVE_NAME.search(name)) == secret


def test_a_key_made_in_another_thread_meanwhile(monkeypatch: pytest.MonkeyPatch) -> None:
    more = [Secret(KEY)]
    real = Secret.reveal

    def reveal(secret: Secret) -> str:
        more.append(Secret("another"))
        return real(secret)

    monkeypatch.setattr(Secret, "reveal", reveal)
    assert redact(f"<{KEY}>") == f"<{MASK}>"
    assert len(more) > 1
