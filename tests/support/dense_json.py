"""Answers with far more JSON values than an answer needs."""

MIB = 1 << 20
GOOD_ANSWER = b'{"choices":[{"message":{"content":"Hello"},"finish_reason":"stop"}],"filler":'


def dense_answer(unit: bytes, size: int) -> bytes:
    """Return a valid answer of about `size` bytes with an array that repeats `unit`."""
    return GOOD_ANSWER + b"[" + unit * ((size - 200) // len(unit)) + b"0]}"
