"""The reference of all ratios: the smallest script that asks once and prints the streamed answer.

    python bare.py HOST PORT PATH MODEL

It reads OpenAI's server-sent events and Ollama's NDJSON, and handles no errors.
"""

import http.client
import json
import sys

host, port, path, model = sys.argv[1:]
connection = http.client.HTTPConnection(host, int(port))
body = {"model": model, "messages": [{"role": "user", "content": "hi"}], "stream": True}
connection.request("POST", path, json.dumps(body), {"Content-Type": "application/json"})
for line in connection.getresponse():
    line = line.removeprefix(b"data: ").strip()
    if not line or line == b"[DONE]":
        continue
    frame = json.loads(line)
    if "message" in frame:
        text = frame["message"]["content"]
    else:
        text = frame["choices"][0]["delta"].get("content") if frame["choices"] else ""
    if text:
        sys.stdout.write(text)
        sys.stdout.flush()
sys.stdout.write("\n")
