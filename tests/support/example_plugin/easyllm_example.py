"""A provider in a package of its own: Chat Completions, asked in capitals."""

from easyllm_cli import Message, OpenAIProvider


class ExampleProvider(OpenAIProvider):
    provider = "example"

    def message(self, message: Message) -> dict[str, str]:
        return {"role": message.role, "content": message.text.upper()}
