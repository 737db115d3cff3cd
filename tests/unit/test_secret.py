"""A Secret never prints, serialises or pickles, and is redacted from every text (FAULT-58)."""

import copy
import gc
import json
import pickle
import re
from dataclasses import asdict
from typing import Any

import pytest

from easyllm_cli.config.profile import Profile
from easyllm_cli.secret import (
    LONG_KEY_CHARS,
    MASK,
    SENSITIVE_NAME,
    Secret,
    _live_secrets,
    mask_whole_keys,
    redact,
    retain_secrets,
)

KEY = "sk-0123456789abcdef"


def test_never_prints() -> None:
    secret = Secret(KEY)
    for text in (str(secret), repr(secret), f"{secret}", f"{secret!r}", f"{secret!s}",
                 "%s %r" % (secret, secret), f"{[secret]} {({'k': secret})}", ascii(secret)):  # noqa: UP031  # fmt: skip
        assert KEY not in text
        assert MASK in text


def test_format_error_does_not_print_the_key() -> None:
    with pytest.raises(TypeError) as caught:
        f"{Secret(KEY):>40}"
    assert KEY not in str(caught.value)


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_never_pickles(protocol: int) -> None:
    for value in (Secret(KEY), [Secret(KEY)], Profile.of({"api_key": KEY})):
        with pytest.raises(TypeError):
            pickle.dumps(value, protocol)


def test_cannot_be_converted_to_a_container() -> None:
    for builtin in (vars, dict, list):
        convert: Any = builtin
        with pytest.raises(TypeError):
            convert(Secret(KEY))


def test_copy_is_the_same_object() -> None:
    """An object that holds a Secret can be copied without creating a second Secret."""
    secret = Secret(KEY)
    assert copy.copy(secret) is secret
    assert copy.deepcopy([secret])[0] is secret


def test_config_and_profile_can_be_copied() -> None:
    config = {"provider": "openai", "api_key": Secret(KEY), "options": {"a": [1]}}
    profile = Profile.of(config)
    for copy_function in (copy.copy, copy.deepcopy):
        assert copy_function(config) == config
        assert copy_function(profile) == profile
    other = copy.deepcopy(profile)
    assert other.options is not profile.options
    fields = asdict(profile)
    assert fields["api_key"] is profile.api_key
    assert fields["timeout"] == {"connect": 10, "first_token": 120, "idle": 60, "total": None}
    assert KEY not in repr(fields)


def test_never_becomes_json() -> None:
    with pytest.raises(TypeError) as caught:
        json.dumps({"key": Secret(KEY)})
    assert KEY not in str(caught.value)
    assert KEY not in json.dumps({"key": Secret(KEY)}, default=str)


def test_only_reveal_gives_the_value() -> None:
    assert Secret(KEY).reveal() == KEY


def test_equals_only_a_secret_with_the_same_value() -> None:
    assert Secret(KEY) == Secret(KEY)
    assert len({Secret(KEY), Secret(KEY)}) == 1
    assert Secret(KEY) != Secret("other")
    assert Secret(KEY) != KEY


def test_is_redacted_from_text() -> None:
    secret = Secret(KEY)
    assert redact(f"Bearer {KEY}, twice {KEY}") == f"Bearer {MASK}, twice {MASK}"
    assert redact("nothing of it") == "nothing of it"
    del secret


def test_is_redacted_while_an_equal_secret_exists() -> None:
    first = Secret("sk-same-value-1")
    second = Secret("sk-same-value-1")
    del first
    gc.collect()
    assert redact("sk-same-value-1") == MASK
    del second


def test_only_secrets_created_after_retain_secrets_are_kept(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(
        "easyllm_cli.secret._retained_secrets", None
    )  # monkeypatch restores it afterwards
    Secret("lib-7Qm2xVb9")
    retain_secrets()
    Secret("cmd-T4LwRn8Yc")
    retain_secrets()
    gc.collect()
    assert redact("lib-7Qm2xVb9 cmd-T4LwRn8Yc") == f"lib-7Qm2xVb9 {MASK}"


def test_a_value_is_retained_once_however_often_a_secret_of_it_is_made(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A batch makes a header for each row, and `redact` looks at all that are retained."""
    monkeypatch.setattr("easyllm_cli.secret._retained_secrets", None)
    retain_secrets()
    before = len(_live_secrets)
    for _ in range(100):
        Secret("cmd-once-T4LwRn8Yc")
    gc.collect()
    assert len(_live_secrets) <= before + 1
    assert redact("cmd-once-T4LwRn8Yc") == MASK


def test_key_that_is_a_prefix_of_another_leaves_no_rest() -> None:
    live_keys = []
    for number in range(8):  # sets are unordered: a single pair may pass by chance
        short, long = f"sk-prefix-{number}", f"sk-prefix-{number}-and-more"
        live_keys += [Secret(short), Secret(long)]
        assert redact(f"{long} {short}") == f"{MASK} {MASK}"


def test_empty_and_tiny_keys_do_not_garble_text() -> None:
    live_keys = [Secret(""), Secret("a"), Secret("abc")]
    assert redact("a cab, abc") == "a cab, abc"
    del live_keys


@pytest.mark.parametrize("key", ["x", "a", "EX", "Bearer x", "Bearer a"])
def test_dummy_keys_do_not_garble_text(key: str) -> None:
    live_key = Secret(key)
    assert redact("the next EXAMPLE") == "the next EXAMPLE"
    del live_key


def test_ordinary_word_within_a_password_is_not_redacted() -> None:
    phrase = Secret("hunter2-of-the-database")
    assert redact("no such database file: unter2-of-the") == f"no such database file: {MASK}"
    word = Secret("swordfish")
    assert redact("swordfish") == MASK
    del phrase, word


def test_short_dummy_keys_can_be_skipped() -> None:
    live_keys = [Secret("Bearer llama"), Secret(KEY)]
    assert redact(f"llama/x {KEY}", LONG_KEY_CHARS) == f"llama/x {MASK}"
    assert redact(f"llama/x {KEY}") == f"{MASK}/x {MASK}"
    del live_keys


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
def test_sensitive_header_names(name: str, secret: bool) -> None:
    assert bool(re.search(SENSITIVE_NAME, name)) == secret


def test_secret_created_while_redacting(monkeypatch: pytest.MonkeyPatch) -> None:
    more = [Secret(KEY)]
    real = Secret.reveal

    def reveal(secret: Secret) -> str:
        more.append(Secret("another"))
        return real(secret)

    monkeypatch.setattr(Secret, "reveal", reveal)
    assert redact(f"<{KEY}>") == f"<{MASK}>"
    assert len(more) > 1


def test_whole_keys_are_masked_in_long_texts() -> None:
    secrets = [Secret("Bearer sk-proj-0123456789"), Secret("lm-studio"), Secret("short")]
    text = "sk-proj-0123456789, sk-proj-, lm-studio, short"
    assert mask_whole_keys(text) == "***, sk-proj-, lm-studio, short"
    assert len(secrets) == 3  # they must live until here
