"""`--choices`: what counts as one of them, and what does not."""

import pytest

from easyllm_cli.choices import parse_choices
from easyllm_cli.completion import Completion
from easyllm_cli.errors import MalformedAnswer, UsageError

CHOICES = parse_choices(r"yes,No,a\, b,etc.,Straße,yesterday")


def answered(text: str, finish: str = "stop") -> Completion:
    return Completion(text=text, finish_reason=finish, complete=finish == "stop")


@pytest.mark.parametrize(
    ("text", "choice"),
    [
        ("yes", "yes"), (" YES\n", "yes"), ("no.", "No"), ('"no"', "No"), ("'no.'", "No"),
        ('"no".', "No"), ("`Yes`", "yes"), ("„No“", "No"), ("A, B", "a, b"), ("etc.", "etc."),
        ("STRASSE", "Straße"), ('{"choice": "yes"}', "yes"), ('{"choice": "NO."}', "No"),
        ('```json\n{"choice": "no"}\n```', "No"), ("```\nno\n```", "No"),
        ('{"choice": " yes "}', "yes"),
    ],
)  # fmt: skip
def test_one_of_them(text: str, choice: str) -> None:
    CHOICES.check(answered(text))
    assert CHOICES.printed(text) == choice


@pytest.mark.parametrize(
    ("choices", "text", "choice"),
    [
        ("1,2.50,3", '{"choice": 1}', "1"), ("1,2.50,3", '{"choice": 2.50}', "2.50"),
        ("true,false", '{"choice": true}', "true"), ("été,hiver", "E\u0301te\u0301", "été"),
    ],
)  # fmt: skip
def test_numbers_truths_and_accents(choices: str, text: str, choice: str) -> None:
    assert parse_choices(choices).find(text) == choice


@pytest.mark.parametrize(
    "text",
    ["", " ", ".", '""', "yes no", "yes, no", "The answer is yes", "yes..", '""yes""', "\"yes'",
     "ye", "etc", '{"choice": "x"}', '{"choice": 1}', '{"choice": ["yes"]}', '{"choice": null}',
     "[]", "{}", '"', '{"choice": "yes", "choice": "no"}', '{"choice": "yes", "why": "no"}',
     '{"other": "yes"}',
     "[" * 99999, "y" * 99999, "a,b", "yes\nno", "not yes"],
    ids=lambda text: text[:20],
)  # fmt: skip
def test_none_of_them(text: str) -> None:
    with pytest.raises(MalformedAnswer, match="none of the choices") as raised:
        CHOICES.check(answered(text))
    assert len(str(raised.value)) < 200
    assert CHOICES.printed(text) == text


@pytest.mark.parametrize("text", ["yes", '{"choice": "yes"}'])
def test_a_cut_answer_is_none_of_them(text: str) -> None:
    """It may be the beginning of another: yes, of yesterday."""
    with pytest.raises(MalformedAnswer, match="was cut"):
        CHOICES.check(answered(text, finish="length"))


@pytest.mark.parametrize(
    ("text", "texts"),
    [("a,b", ["a", "b"]), (" a , b c ", ["a", "b c"]), (r"a\,b,c", ["a,b", "c"]), ("one", ["one"])],
)
def test_lists(text: str, texts: list[str]) -> None:
    assert parse_choices(text).texts == texts


@pytest.mark.parametrize("text", ["", ",", "a,", ",a", "a,,b", "a,A", " ", "é,e\u0301"])
def test_wrong_lists(text: str) -> None:
    with pytest.raises(UsageError, match="--choices"):
        parse_choices(text)
