"""A server that repeats the client's key in every part of its responses, in many encodings."""

import base64
import json
from dataclasses import dataclass
from urllib.parse import quote

from tests.support.adapters import OLLAMA_FORMAT, RESPONSES_FORMAT, Wire
from tests.support.standins.reply import Reply
from tests.support.standins.request import Request
from tests.support.standins.script import compact, ndjson, sse

SHORTEST = 8  # this many characters of a key in a row count as a leak
STATUSES = (400, 401, 402, 403, 404, 429, 500)
ESCAPED = "@escaped@"  # a placeholder; the body gets the key in JSON escapes there


def percent(text: str) -> str:
    """Percent-encode every byte."""
    return "".join(f"%{byte:02x}" for byte in text.encode())


def escapes(text: str) -> str:
    """Write every character as a JSON escape."""
    return "".join(f"\\u{ord(char):04x}" for char in text)


def entities(text: str) -> str:
    """Write every character as an HTML entity."""
    return "".join(f"&#{ord(char)};" for char in text)


def base64_text(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def encode_key_variants(key: str) -> list[str]:
    """Return the key as it is, in several encodings, reversed, and in halves."""
    half = len(key) // 2
    return [
        key, base64_text(key), base64_text(f"Bearer {key}"), base64_text(f"me:{key}"), percent(key),
        entities(key), key[::-1], key[:half], key[half:], escapes(key),
    ]  # fmt: skip


def find_key_fragments(key: str, data: bytes) -> list[str]:
    """Return the pieces of the key, plain or encoded, that the data contains."""
    variants = [key, key[::-1], key.encode().hex()]
    variants += [base64_text("x" * lead + key)[4 * bool(lead) :].rstrip("=") for lead in range(3)]
    windows = [(whole, SHORTEST) for whole in variants]
    windows += [(f(key), 6 * SHORTEST) for f in (percent, escapes, entities)]
    return [
        piece
        for whole, size in windows
        for piece in (whole[at : at + size] for at in range(len(whole) - size + 1))
        if piece.encode() in data
    ]


@dataclass(eq=False)
class KeyLeakingServer:
    """Responds as `case` says, with the key in it. `elsewhere`: the target of its redirect."""

    case: str
    key: str
    wire: Wire
    elsewhere: str = "http://127.0.0.2:9"

    async def handle(self, request: Request, reply: Reply) -> None:
        """Answer one request; a GET gets a model list with the key in its names."""
        if request.method == "GET" and self.case != "redirect":
            await self._send(reply, 200, "application/json", json.dumps(self.models()).encode())
            return
        if self.case == "timeout":
            await reply.sleep(20)
            return
        await getattr(self, f"_{self.case.replace('-', '_')}", self._status)(reply)

    def words(self) -> str:
        """Return a sentence with the key in every encoding."""
        return f"wrong key {' or '.join(encode_key_variants(self.key))} or {ESCAPED}"

    def models(self) -> object:
        """Return a model list that every provider can read."""
        names = [self.key, f"m-{self.key}-1", *encode_key_variants(self.key)[1:4]]
        methods = {"supportedGenerationMethods": ["generateContent"]}
        google = [{"name": f"models/{name}", "model": name, **methods} for name in names]
        return {"data": [{"id": name} for name in names], "models": google}

    def error(self) -> bytes:
        """Return the provider's error for the middle of a stream."""
        if self.wire is OLLAMA_FORMAT:
            return self._escaped(ndjson(self.wire.error(500, self.words())))
        if self.wire is RESPONSES_FORMAT:
            error = {"type": "error", "code": "server_error", "message": self.words()}
            return self._escaped(sse(error, "error"))
        return self._escaped(sse(self.wire.error(500, self.words())))

    async def _status(self, reply: Reply) -> None:
        status = int(self.case)
        body = self._escaped(compact(self.wire.error(status, self.words())))
        await self._send(reply, status, "application/json", body)

    async def _code(self, reply: Reply) -> None:
        """Send the key as the error's code, type, status and parameter."""
        fields = dict.fromkeys(("code", "type", "status", "param"), self.key)
        body = compact({"error": fields | {"message": self.words()}})
        await self._send(reply, 400, "application/json", self._escaped(body))

    async def _page(self, reply: Reply) -> None:
        await self._send(reply, 502, "text/html", self._html())

    async def _portal(self, reply: Reply) -> None:
        await self._send(reply, 200, "text/html", self._html())

    async def _redirect(self, reply: Reply) -> None:
        await self._send(reply, 307, "text/plain", self.key.encode())

    async def _cut(self, reply: Reply) -> None:
        await self._send(reply, 200, self.wire.content_type, self.wire.text("Hello"))

    async def _frame(self, reply: Reply) -> None:
        """Send an error frame in two pieces, split in the middle of the key."""
        data = self.wire.text("Hello") + self.error()
        at = data.index(self.key.encode()) + len(self.key) // 2
        await self._send(reply, 200, self.wire.content_type, data[:at])
        await reply.sleep(0.02)
        await reply.raw(data[at:])

    async def _bad_json(self, reply: Reply) -> None:
        lead = b"" if self.wire is OLLAMA_FORMAT else b"data: "
        body = lead + b'{"oops": "' + self.key.encode() + b"\n\n" + self.wire.text("x")
        await self._send(reply, 200, self.wire.content_type, body)

    async def _compressed(self, reply: Reply) -> None:
        await self._send(reply, 200, "text/plain", b"x", encoding=self.key)

    async def _no_http(self, reply: Reply) -> None:
        await reply.raw(f"{self.key} {self.words()}\r\n\r\n".encode())

    async def _send(
        self, reply: Reply, status: int, kind: str, body: bytes, encoding: str = "identity"
    ) -> None:
        """Send a response with the key in its status line and headers."""
        variants = " ".join(encode_key_variants(self.key))
        where = f"{self.elsewhere}/{self.key}/{quote(variants)}?key={self.key}"
        lines = [
            f"HTTP/1.1 {status} No {variants}", f"Content-Type: {kind}; charset={self.key}",
            f"Location: {where}", f"Content-Encoding: {encoding}", "Connection: close",
        ]  # fmt: skip
        names = ("X-Request-Id", "Request-Id", "X-Generation-Id", "Retry-After", "WWW-Authenticate")
        lines += [f"{name}: {variants}" for name in names]
        await reply.raw("\r\n".join([*lines, "", ""]).encode() + body)

    def _html(self) -> bytes:
        variants = " ".join(encode_key_variants(self.key))
        return f"<html><title>{variants}</title><body>{variants}</body></html>".encode()

    def _escaped(self, body: bytes) -> bytes:
        return body.replace(ESCAPED.encode(), escapes(self.key).encode())
