"""WIRE §11, trap 31: Responses' events are told apart by their type, and an error is an error."""

from easyllm_cli.errors import BusyError, IncompleteAnswer
from tests.support.asking import Json, answer, failure, openai
from tests.support.standins.responses import framed, response
from tests.support.standins.script import Script, scripted
from tests.support.standins.server import StandIn


def told(*events: Json, end: str = "response.completed") -> Script:
    """An answer of Responses: "Hello", and events of other types around it."""
    said = {"type": "response.output_text.delta", "item_id": "m", "delta": "Hello"}
    last = [{"type": end, "response": response([])}] if end else []
    return Script(*framed([{"type": "response.queued"}, said, *events, *last]))


async def test_trap_31_responses_unknown_events_are_nothing() -> None:
    news = [{"type": "response.brand_new.thing", "delta": "x", "text": "x"}, {"type": "keepalive"}]
    with StandIn(scripted(told(*news))) as server:
        done = await answer(openai(server, api="responses"))
    assert (done["text"], done["reasoning"], done["complete"]) == ("Hello", None, True)
    with StandIn(scripted(told(*news, end=""))) as server:
        await failure(IncompleteAnswer, openai(server, api="responses"))


async def test_trap_31_responses_error_event_is_an_error() -> None:
    flat = {"type": "error", "code": "server_error", "message": "It broke.", "param": None}
    with StandIn(scripted(told(flat, end=""))) as server:
        error = await failure(BusyError, openai(server, api="responses"), shown=())
        assert len(server.requests) == 1
    assert error.message == "It broke."
    assert error.partial is not None
    assert error.partial["text"] == "Hello"
    with StandIn(scripted(Script(*framed([flat])), told())) as server:
        assert (await answer(openai(server, api="responses")))["text"] == "Hello"
        assert len(server.requests) == 2
