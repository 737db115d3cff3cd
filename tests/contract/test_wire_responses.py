"""OpenAI Responses over the wire: unknown events are ignored, error events are errors."""

from easyllm_cli.errors import BusyError, IncompleteAnswer
from tests.support.asking import Json, expect_error, get_completion, openai
from tests.support.standins.responses import format_sse_events, response
from tests.support.standins.script import Script, script_handler
from tests.support.standins.server import StandIn


def responses_script(*events: Json, end: str = "response.completed") -> Script:
    """Return an answer with the text "Hello", then these events, then the end event."""
    text_delta = {"type": "response.output_text.delta", "item_id": "m", "delta": "Hello"}
    last = [{"type": end, "response": response([])}] if end else []
    return Script(*format_sse_events([{"type": "response.queued"}, text_delta, *events, *last]))


async def test_unknown_events_are_ignored() -> None:
    unknown = [
        {"type": "response.brand_new.thing", "delta": "x", "text": "x"},
        {"type": "keepalive"},
    ]
    with StandIn(script_handler(responses_script(*unknown))) as server:
        done = await get_completion(openai(server, api="responses"))
    assert (done["text"], done["reasoning"], done["complete"]) == ("Hello", None, True)
    with StandIn(script_handler(responses_script(*unknown, end=""))) as server:
        await expect_error(IncompleteAnswer, openai(server, api="responses"))


async def test_error_event_is_an_error() -> None:
    error_event = {"type": "error", "code": "server_error", "message": "It broke.", "param": None}
    with StandIn(script_handler(responses_script(error_event, end=""))) as server:
        error = await expect_error(BusyError, openai(server, api="responses"), shown=())
        assert len(server.requests) == 1
    assert error.message == "It broke."
    assert error.partial is not None
    assert error.partial["text"] == "Hello"
    with StandIn(
        script_handler(Script(*format_sse_events([error_event])), responses_script())
    ) as server:
        assert (await get_completion(openai(server, api="responses")))["text"] == "Hello"
        assert len(server.requests) == 2
