"""A server that tells everybody the key it was sent, in every place and disguise it can find."""

import base64
import json
from dataclasses import dataclass
from urllib.parse import quote

from tests.support.adapters import OLLAMA_FORMAT, RESPONSES_FORMAT, Wire
from tests.support.standins.reply import Reply
from tests.support.standins.request import Request
from tests.support.standins.script import compact, ndjson, sse

SHORTEST = 8  # characters of a key that must not be seen in one piece
STATUSES = (400, 401, 402, 403, 404, 429, 500)
ESCAPED = "@escaped@"  # stands in a text where JSON's own escapes are to stand


def percent(text: str) -> str:
    """Every character as a URL may hold it."""
    return "".join(f"%{byte:02x}" for byte in text.encode())


def escapes(text: str) -> str:
    """Every character as JSON may hold it."""
    return "".join(f"\\u{ord(one):04x}" for one in text)


def entities(text: str) -> str:
    """Every character as HTML may hold it."""
    return "".join(f"&#{ord(one)};" for one in text)


def encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def encode_key_variants(key: str) -> list[str]:
    """The key as it is, encoded in several ways, backwards, and in halves."""
    half = len(key) // 2
    return [
        key, encoded(key), encoded(f"Bearer {key}"), encoded(f"me:{key}"), percent(key),
        entities(key), key[::-1], key[:half], key[half:], escapes(key),
    ]  # fmt: skip


def find_key_fragments(key: str, data: bytes) -> list[str]:
    """The pieces of the key, in any of its disguises, that the bytes hold."""
    wholes = [key, key[::-1], key.encode().hex()]
    wholes += [encoded("x" * lead + key)[4 * bool(lead) :].rstrip("=") for lead in range(3)]
    windows = [(one, SHORTEST) for one in wholes]
    windows += [(f(key), 6 * SHORTEST) for f in (percent, escapes, entities)]
    return [
        piece
        for whole, size in windows
        for piece in (whole[at : at + size] for at in range(len(whole) - size + 1))
        if piece.encode() in data
    ]


@dataclass(eq=False)
class KeyLeakingServer:
    """Answers as `case` says, and tells the key. `elsewhere`: where a redirect leads."""

    case: str
    key: str
    wire: Wire
    elsewhere: str = "http://127.0.0.2:9"

    async def handle(self, request: Request, reply: Reply) -> None:
        """Any request: a GET gets a list of models, whose names tell it, too."""
        if request.method == "GET" and self.case != "redirect":
            await self._send(reply, 200, "application/json", json.dumps(self.models()).encode())
            return
        if self.case == "timeout":
            await reply.sleep(20)
            return
        await getattr(self, f"_{self.case.replace('-', '_')}", self._status)(reply)

    def words(self) -> str:
        """A sentence with the key in every disguise."""
        return f"wrong key {' or '.join(encode_key_variants(self.key))} or {ESCAPED}"

    def models(self) -> object:
        """A list in every provider's shape."""
        names = [self.key, f"m-{self.key}-1", *encode_key_variants(self.key)[1:4]]
        methods = {"supportedGenerationMethods": ["generateContent"]}
        google = [{"name": f"models/{one}", "model": one, **methods} for one in names]
        return {"data": [{"id": one} for one in names], "models": google}

    def error(self) -> bytes:
        """The provider's own error in the middle of a stream."""
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
        """The key as the error's code, type, status and parameter."""
        named = dict.fromkeys(("code", "type", "status", "param"), self.key)
        body = compact({"error": named | {"message": self.words()}})
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
        """An error frame that arrives in two pieces, cut in the middle of the key."""
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
        """An answer whose status line and headers tell the key."""
        told = " ".join(encode_key_variants(self.key))
        where = f"{self.elsewhere}/{self.key}/{quote(told)}?key={self.key}"
        lines = [
            f"HTTP/1.1 {status} No {told}", f"Content-Type: {kind}; charset={self.key}",
            f"Location: {where}", f"Content-Encoding: {encoding}", "Connection: close",
        ]  # fmt: skip
        names = ("X-Request-Id", "Request-Id", "X-Generation-Id", "Retry-After", "WWW-Authenticate")
        lines += [f"{name}: {told}" for name in names]
        await reply.raw("\r\n".join([*lines, "", ""]).encode() + body)

    def _html(self) -> bytes:
        told = " ".join(encode_key_variants(self.key))
        return f"<html><title>{told}</title><body>{told}</body></html>".encode()

    def _escaped(self, body: bytes) -> bytes:
        return body.replace(ESCAPED.encode(), escapes(self.key).encode())
