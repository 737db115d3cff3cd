"""The stand-in for Responses is what OpenAI's own SDK takes for OpenAI: events, counts, text."""

from openai import OpenAI
from openai.types.responses import ResponseInputTextParam, ResponseStreamEvent
from pydantic import TypeAdapter

from tests.adapters import KEY
from tests.standins.responses import (
    ResponsesServer,
    events_of,
    framed,
    message,
    response,
    thought,
    usage_of,
)
from tests.standins.server import StandIn

ITEMS = [
    thought("rs_1", "one", "two", encrypted="gAAAA"),
    thought("rs_2", raw=("at length",)),
    message("msg_1", "Hel", "lo"),
    message("msg_2", refusal="No."),
]


def test_every_event_is_of_openais_types() -> None:
    known: TypeAdapter[object] = TypeAdapter(ResponseStreamEvent)
    names = set()
    for frame in framed(events_of(response(ITEMS, usage=usage_of(3, 8, 2)))):
        name, data = frame.split(b"\n")[:2]
        event = known.validate_json(data.removeprefix(b"data: "))
        assert f"event: {event.type}".encode() == name  # type: ignore[attr-defined]
        names.add(name)
    assert len(names) == 17, "WIRE §1b's, without queued and the other three ends"


def test_openais_client_reads_the_plain_answer() -> None:
    standin = ResponsesServer(key=KEY, summary=("a plan",))
    with (
        StandIn(standin.handle) as server,
        OpenAI(base_url=f"{server.url}/v1", api_key=KEY) as client,
    ):
        text: ResponseInputTextParam = {"type": "input_text", "text": "hi"}
        done = client.responses.create(
            model="gpt-4o",
            input=[{"role": "user", "content": [text]}],
            reasoning={"summary": "auto"},
        )
    assert done.output_text == "Hello from gpt-4o: hi"
    assert done.usage is not None
    assert done.usage.output_tokens_details.reasoning_tokens == 2
