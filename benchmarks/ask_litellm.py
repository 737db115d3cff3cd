"""litellm as its README shows it, streaming: python ask_litellm.py MODEL PROMPT [SECONDS]."""

import sys

import litellm

model, prompt, *seconds = sys.argv[1:]
limit = {"timeout": float(seconds[0])} if seconds else {}
stream = litellm.completion(
    model=f"openai/{model}", messages=[{"role": "user", "content": prompt}], stream=True, **limit
)
for chunk in stream:
    print(chunk.choices[0].delta.content or "", end="", flush=True)
print()
