"""An example of a provider in a separate package: Chat Completions with prompts in capitals."""

from easyllm_cli import Message, OpenAIProvider


class ExampleProvider(OpenAIProvider):
    provider = "example"

    def message(self, message: Message) -> dict[str, str]:
        return {"role": message.role, "content": message.text.upper()}
