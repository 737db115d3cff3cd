"""The openai SDK as its README shows it, streaming: python ask_openai.py MODEL PROMPT [SECONDS]."""

import sys

from openai import OpenAI

model, prompt, *seconds = sys.argv[1:]
client = OpenAI(timeout=float(seconds[0])) if seconds else OpenAI()
stream = client.chat.completions.create(
    model=model, messages=[{"role": "user", "content": prompt}], stream=True
)
for chunk in stream:
    if chunk.choices:
        print(chunk.choices[0].delta.content or "", end="", flush=True)
print()
