"""The anthropic SDK as its README shows it: python ask_anthropic.py MODEL PROMPT [SECONDS]."""

import sys

from anthropic import Anthropic

model, prompt, *seconds = sys.argv[1:]
client = Anthropic(timeout=float(seconds[0])) if seconds else Anthropic()
with client.messages.stream(
    model=model, max_tokens=1024, messages=[{"role": "user", "content": prompt}]
) as stream:
    for text in stream.text_stream:
        print(text, end="", flush=True)
print()
