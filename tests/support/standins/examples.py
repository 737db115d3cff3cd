"""Stand-in that answers the examples of the documents, to record them (tests/support/examples.py).

It speaks Chat Completions, Ollama's protocol and OpenRouter's, byte by byte.
"""

from tests.support.adapters import HTTP_ADAPTERS, Adapter
from tests.support.faults.spelling import cut, reasoning, steps_script
from tests.support.images import uncompressed_png
from tests.support.standins.ollama import OllamaServer
from tests.support.standins.script import Json, Script
from tests.support.standins.server import Reply, Request

ADAPTERS = {
    path: next(adapter for adapter in HTTP_ADAPTERS if adapter.name == name)
    for path, name in (
        ("/v1/chat/completions", "openai"),
        ("/api/chat", "ollama"),
        ("/api/v1/chat/completions", "openrouter"),
    )
}
RED, GREEN, BLUE, BLACK = (
    uncompressed_png(8, 8, color) for color in ((255, 0, 0), (0, 128, 0), (0, 0, 255), (0, 0, 0))
)
# A part of the prompt, and the answer; the first that fits is given. An int is an error status.
CUT_SHORT = "(cut)"
ANSWERS: dict[str, str | int] = {
    # README.md, and the examples of the help
    "Why is the sky blue?": "Air scatters **blue** light more than red light.",
    "Which operating system is this?": "It is Linux.",
    "What kind of text is this?": "licence",
    "How many r in strawberry?": "There are **3**.",
    "Translate": "Un mot.",
    "Tell a story": "Once there was a fox.\n\nIt slept.",
    "What is a shell?": "A program that runs commands.",
    "What changed?": "A red square became a green one.",
    "What is Python?": "Python is a programming language.",
    "in one line": "Ada wrote the first program.",
    "Summarise": "Ada wrote the first program.",
    "describe": "A red square.",
    # docs/recipes.md
    "say that it ran": "Here it is:\n```sh\necho it ran\n```\n",
    "tell a joke": "There is no command for that.",
    "stop half way": CUT_SHORT,
    "new file mode": "Add a file",
    "Write a commit message for this diff": 503,
    "Write a commit message": "Name Ada Lovelace in full",
    "What is this ticket?\n\nIt crashes, always": "Bug.",
    "What is this ticket?\n\nAdd a button": "wish",
    "What is this ticket?\n\nwrite a poem": "A poem",
    "What is this ticket?\n\nhalf a ticket": CUT_SHORT,
    "What is this ticket?\n\nno key": 401,
    "translation alone: one": "un",
    "translation alone: two": "deux",
    "translation alone: half": CUT_SHORT,
    "Invoice 17": '{"number": "17", "total": 20}',
    "Invoice 18": '{"number": "18"}',
}
CAPTIONS = {RED: "A red square", BLUE: "A blue square", BLACK: CUT_SHORT}


async def answer(request: Request, reply: Reply) -> None:
    """Answer one request; those about models are Ollama's."""
    adapter = ADAPTERS.get(request.path)
    if adapter is None:
        await OllamaServer().handle(request, reply)
    else:
        await script_for(adapter, request.json).play(reply)


def script_for(adapter: Adapter, body: Json) -> Script:
    """The answer to a request, with reasoning if it asks for some."""
    prompt = adapter.wire.read_messages(body)[-1][1]
    if "Describe this image in one sentence" in prompt:
        ((_, image),) = adapter.wire.images(body)
        given: str | int = CAPTIONS[image]
    else:
        given = next(answer for part, answer in ANSWERS.items() if part in prompt)
    if isinstance(given, int):
        words = {401: "Incorrect API key provided", 503: "The server is overloaded"}[given]
        return adapter.refusal(given, words)
    if given == CUT_SHORT:
        return cut(adapter, adapter.wire.text("half an ans"))
    thoughts = (reasoning(adapter, "s-t-r-a-w-b-e-r-r-y: three."),) if "reasoning" in body else ()
    parts = [given[at : at + 12] for at in range(0, len(given), 12)]
    return steps_script(adapter, *thoughts, *map(adapter.wire.text, parts), adapter.wire.end)
