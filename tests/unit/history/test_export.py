"""Markdown and JSON of calls."""

from easyllm_cli import history
from easyllm_cli.errors import IncompleteAnswer
from easyllm_cli.history.calls import CallFilter, call_objects, newest_calls
from easyllm_cli.history.export import markdown_from_calls
from easyllm_cli.history.store import open_store
from easyllm_cli.images import Image
from easyllm_cli.messages import Message
from tests.support.history import save

A, B = "0aaaaaaaaaaaaaaa", "0bbbbbbbbbbbbbbb"


def test_markdown_of_a_call() -> None:
    save("What?\n\nNow.", "# This\n", id=A, reasoning="Hm.", started_at=1.0)
    save(id=B, conversation=None, started_at=2.0, error=IncompleteAnswer("cut"), exit_code=7)
    with open_store(history.history_path(), create=False) as store:
        second, first = newest_calls(store, CallFilter(), 2)
    (text,) = markdown_from_calls([first])
    head, _, rest = text.partition("\n\n")
    assert head.startswith(f"## {A} · 1970-01-01 ")
    assert head.endswith("· m (t) · 12 in, 34 out · 0.0 s")
    assert rest == "> What?\n>\n> Now.\n\n# This\n"
    (text,) = markdown_from_calls([first], reasoning=True)
    assert text.endswith("\n\n**Reasoning**\n\nHm.\n\n**Answer**\n\n# This\n")
    (text,) = markdown_from_calls([second])
    assert text.endswith("\n\n*incomplete: no text is kept*\n")


def test_the_object_of_a_call() -> None:
    image = Image.of("https://a.example/b.png")
    save(id=A, started_at=1.5, messages=[Message("user", ("What?", image))])
    with open_store(history.history_path(), create=False) as store:
        (call,) = call_objects(store, newest_calls(store, CallFilter(), 2))
    assert call["id"] == call["conversation"] == A
    assert call["started_at"] == "1970-01-01T00:00:01.500Z"
    assert (call["complete"], call["estimated"], call["options"]) == (True, False, None)
    assert call["images"][0]["source"] == "https://a.example/b.png"
    assert not {"n", "terminal"} & call.keys()
