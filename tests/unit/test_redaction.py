"""`redact` removes every encoding and every long part of a key, and nothing else (FAULT-58)."""

import re
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Callable

import pytest

from easyllm_cli.secret import MASK, Secret, holds_known_key, redact
from tests.support.hostile import encode_key_variants, escapes, percent

KEY = "sk-proj-7Qm2xVb9KdTz4LwRn8Yc3HsJf6"


@pytest.fixture
def secret() -> Secret:
    """Kept alive while a test uses it: only existing secrets are redacted."""
    return Secret(KEY)


@pytest.mark.usefixtures("secret")
@pytest.mark.parametrize(
    "form", [*encode_key_variants(KEY), KEY.encode().hex(), escapes(KEY).upper()]
)
def test_every_encoding_is_redacted_completely(form: str) -> None:
    form = form.removesuffix("==").removesuffix("=")
    cut = redact(f"is {form} wrong?")
    assert cut.startswith("is ")
    assert cut.endswith(" wrong?")
    assert MASK in cut
    assert len(cut) < 26, "base64 of a scheme before it, and two letters of the key at most"


@pytest.mark.parametrize("encode", [b64encode, urlsafe_b64encode])
@pytest.mark.parametrize("lead", range(3))
@pytest.mark.parametrize("key", [KEY, "sk-" + "???>>>" * 6])
def test_base64_is_redacted_at_every_alignment(
    key: str, lead: int, encode: Callable[[bytes], bytes]
) -> None:
    """A key starts at one of three offsets; the second key's base64 has characters URLs replace."""
    live_key = Secret(key)
    form = encode(b"x" * lead + key.encode()).decode().rstrip("=")
    cut = redact(f"is {form} wrong?")
    assert re.fullmatch(rf"is .{{,7}}{re.escape(MASK)}.{{,2}} wrong\?", cut), cut
    del live_key


@pytest.mark.usefixtures("secret")
@pytest.mark.parametrize(
    "form",
    [
        *(form for form in encode_key_variants(KEY) if form not in KEY or form == KEY),
        KEY.encode().hex(), escapes(KEY).upper(), KEY.swapcase(),
        *(b64encode(b"x" * lead + KEY.encode() + b"yz").decode() for lead in range(3)),
    ],
)  # fmt: skip
def test_rec_2_an_encoded_key_is_found_in_a_long_text(form: str) -> None:
    assert holds_known_key(f"is {form} wrong?")
    assert not holds_known_key(f"is {form[: len(form) // 2]} wrong?")


@pytest.mark.usefixtures("secret")
def test_parts_of_eight_characters_or_more_are_redacted() -> None:
    for size in range(4, len(KEY)):
        for at in (0, len(KEY) - size):
            piece = KEY[at : at + size]
            assert redact(f"<{piece}>") == (f"<{MASK}>" if size >= 8 else f"<{piece}>")
    assert redact(f"{KEY[:7]}…{KEY[-4:]}") == f"{KEY[:7]}…{KEY[-4:]}", "as servers show it"


@pytest.mark.usefixtures("secret")
def test_other_text_is_unchanged() -> None:
    text = "100 % of %41 \\u0042 &amp; &#67; sk-pro Bearer k %zz 漢字 \U0001f600 %F0%9F"
    assert redact(text) == text
    mixed = f"\U0001f600%41{KEY[:10]}{percent(KEY[10:])}&#65;é"
    assert redact(mixed) == f"\U0001f600%41{MASK}&#65;é"


SPREAD = {
    "blanks": " ".join(KEY),
    "no-break spaces": "\xa0".join(KEY),
    "zero-width spaces": "\u200b".join(KEY),
    "soft hyphens": "\xad".join(KEY),
    "word joiners and marks": "\u2060\u200e".join(KEY),
    "dashes": "-".join(KEY[at : at + 4] for at in range(0, len(KEY), 4)),
    "long dashes": " \u2013 ".join(KEY[at : at + 5] for at in range(0, len(KEY), 5)),
    "no dashes": KEY.replace("-", ""),
    "lines": "\n".join(KEY[at : at + 3] for at in range(0, len(KEY), 3)),
    "upper case": KEY.upper(),
    "lower case": KEY.lower(),
    "another case": KEY.swapcase(),
    "upper case, spread": " ".join(KEY.upper()),
    "backwards, spread": " ".join(reversed(KEY)),
    "hexadecimal, spread": KEY.encode().hex(" "),
    "hexadecimal, spread in upper case": KEY.encode().hex("-").upper(),
    "escapes, spread": " ".join(f"%{ord(char):02X}" for char in KEY),
}


@pytest.mark.usefixtures("secret")
@pytest.mark.parametrize("name", SPREAD)
def test_key_with_separators_or_in_another_case_is_redacted(name: str) -> None:
    assert redact(f"is {SPREAD[name]} wrong?") == f"is {MASK} wrong?"
    assert redact(f"({SPREAD[name]}),{KEY}") == f"({MASK}),{MASK}"


def test_ordinary_words_that_occur_in_a_key_stay() -> None:
    live_keys = [Secret("project-2024-database-7Qm2"), Secret("Summer2024!"), Secret(KEY)]
    text = "Project 2024: the data base of summer - 2024 is full, sk - proj - 7 Q"
    assert redact(text) == text
    assert redact("PROJECT 2024 DATABASE 7qm2") == MASK
    assert redact("S u m m e r 2 0 2 4 !") == MASK
    assert redact("model gpt-4o-mini-2024-07-18 of 20 models, 1 2 3 4 5 6 7 8 9 0 1 2") != MASK
    del live_keys


def test_authorization_scheme_is_not_redacted() -> None:
    live_key = Secret(f"Bearer {KEY}")
    assert redact(f"Bearer token or Bearer {KEY}") == f"Bearer token or Bearer {MASK}"
    del live_key


def test_short_key_is_redacted_only_verbatim() -> None:
    live_key = Secret("sk-a1")
    assert redact("sk-a1, sk-a, 1a-ks") == f"{MASK}, sk-a, 1a-ks"
    del live_key


@pytest.mark.parametrize("key", ["ollama", "Bearer ollama", "lm-studio", "LM-Studio", "openai"])
def test_server_name_as_a_dummy_key_is_not_redacted(key: str) -> None:
    """Manuals suggest it as a key for servers that check none; gateways accept it in a header."""
    live_key, other = Secret(key), Secret(KEY)
    text = "ollama serve, lm-studio, LM-Studio, openai"
    assert redact(f"{text} {other.reveal()}") == f"{text} {MASK}"
    del live_key
