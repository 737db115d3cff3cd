"""Shows the main functions of the library in one program.

    python examples/llm_usage_example.py

It asks OpenAI, Ollama, OpenRouter and Gemini. Set OPENAI_API_KEY, OPENROUTER_API_KEY and
GEMINI_API_KEY, and start Ollama; if one is missing, the program shows its error.
"""

import asyncio
import tempfile
import zlib
from pathlib import Path
from struct import pack
from typing import Any

from easyllm_cli import (
    EasyLLMError,
    GeminiProvider,
    IncompleteAnswer,
    LLMService,
    OpenAIProvider,
    Profile,
    Reasoning,
    Text,
    Timeout,
    Usage,
    collect,
)

CONFIGS: dict[str, dict[str, Any]] = {
    "openai": {"provider": "openai", "model": "gpt-4o"},
    "ollama": {"provider": "ollama", "model": "llama3.2"},
    "openrouter": {"provider": "openrouter", "model": "vendor/thinker", "reasoning": "low"},
    "gemini": {"provider": "gemini", "model": "gemini-2.5-flash"},
    "litellm": {
        "provider": "litellm",
        "model": "claude-2",
        "fallback_models": ["gpt-4", "gpt-3.5-turbo"],
    },
}
MESSAGES = [
    {"role": "system", "content": "You answer in one sentence."},
    {"role": "user", "content": "What is Python?"},
]


async def chat(service: LLMService) -> None:
    """Send one question to each provider; print an error and continue if one fails."""
    print("providers:", ", ".join(service.list_supported_providers()))
    for name, config in CONFIGS.items():
        try:
            response = await service.chat(config, MESSAGES)
        except EasyLLMError as error:
            print(f"{name}: {error}")
        else:
            usage = response["usage"]
            print(f"{name}: {response['text']} ({usage['total_tokens']} tokens)")


async def stream(service: LLMService) -> None:
    """Stream an answer: as text, then as events."""
    async for text in service.chat_stream(CONFIGS["openai"], MESSAGES):
        print(text, end="", flush=True)
    print()
    async for event in service.stream(CONFIGS["openrouter"], MESSAGES):
        match event:
            case Reasoning(text):
                print(f"[{text}]", end="")
            case Text(text):
                print(text, end="", flush=True)
            case Usage():
                print(f"\n{event.completion_tokens} tokens, ${event.cost_usd}")


async def vision(service: LLMService) -> None:
    """Ask about an image file; bytes, base64, data URLs and https URLs work, too."""
    with tempfile.TemporaryDirectory() as folder:
        picture = Path(folder) / "red.png"
        picture.write_bytes(red_square())
        response = await service.vision_chat(
            config=CONFIGS["openai"],
            prompt="What do you see in this image?",
            image_data=picture,
            mime_type="image/png",
        )
    print(response["text"])


async def chain_of_thought(service: LLMService) -> None:
    """Separate the reasoning from the answer, whether the provider does so or not."""
    response = await service.chat(CONFIGS["openrouter"], MESSAGES)
    result = service.extract_answer_and_cot(response)
    print(f"Answer: {result['answer']}")
    print(f"Reasoning: {result['cot']}")
    print(service.extract_answer_and_cot("<think>2 + 2</think>4"))
    print(await service.get_response_with_cot(CONFIGS["gemini"], "How many r in strawberry?"))


async def providers_directly() -> None:
    """Use a provider without a service: from a dict (with defaults) or from a Profile."""
    provider = OpenAIProvider({"model": "gpt-4o", "temperature": 0.2})
    print(provider.temperature, provider.max_tokens, provider.top_p)
    print((await provider.chat(MESSAGES))["text"])
    print(await provider.list_models())
    await provider.aclose()
    profile = Profile(model="gemini-2.5-flash", timeout=Timeout(first_token=30))
    async for text in GeminiProvider(profile).chat_stream(MESSAGES):
        print(text, end="", flush=True)
    print()


async def errors_retries_and_fallbacks(service: LLMService) -> None:
    """Handle errors; retries are automatic, fallbacks are tried when retries fail."""
    unreachable = {
        "provider": "llamacpp",
        "endpoint": "http://127.0.0.1:9/v1",
        "model": "none",
        "max_retries": 1,
        "initial_retry_delay": 0.1,
        "retry_multiplier": 2.0,
    }
    try:
        await service.chat(unreachable, MESSAGES)
    except IncompleteAnswer as error:
        print("cut after:", error.partial)
    except EasyLLMError as error:
        print(f"{error.kind}: {error}")
    events = service.stream(unreachable, MESSAGES, fallbacks=[CONFIGS["openai"]])
    response = await collect(events)
    print(f"answered by the fallback {response['provider']}: {response['text']}")


async def many_at_once(service: LLMService) -> None:
    """Send requests concurrently; they share one provider and its connections."""
    answers = (service.get_response(CONFIGS["openai"], f"What is {n} + {n}?") for n in range(3))
    print(await asyncio.gather(*answers))
    service.clear_cache()


def red_square() -> bytes:
    """A PNG of 8 x 8 red pixels, built without an image library."""
    rows = (b"\x00" + b"\xff\x00\x00" * 8) * 8
    header = pack(">IIBBBBB", 8, 8, 8, 2, 0, 0, 0)
    png = b"\x89PNG\r\n\x1a\n"
    for kind, data in ((b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b"")):
        png += pack(">I", len(data)) + kind + data + pack(">I", zlib.crc32(kind + data))
    return png


async def main() -> None:
    async with LLMService() as service:
        await chat(service)
        await stream(service)
        await vision(service)
        await chain_of_thought(service)
        await providers_directly()
        await errors_retries_and_fallbacks(service)
        await many_at_once(service)


if __name__ == "__main__":
    asyncio.run(main())
