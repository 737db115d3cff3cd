"""The vendors' words for why an answer ended, in OpenAI's: one table for every protocol.

Lists of words: https://docs.anthropic.com/en/api/handling-stop-reasons (Anthropic),
https://ai.google.dev/api/generate-content#FinishReason (Gemini),
https://docs.cohere.com/reference/chat (Cohere), https://docs.bigmodel.cn (Zhipu),
https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html (Bedrock),
https://docs.mistral.ai/api (Mistral), https://cloud.ibm.com/apidocs/watsonx-ai (watsonx).
"""

from __future__ import annotations

from typing import Any

STOP, LENGTH, TOOL_CALLS, CONTENT_FILTER = "stop", "length", "tool_calls", "content_filter"
FAILED = "failed"  # the provider gave up; its own word is kept
CONTEXT_FULL = "context"  # as `length`, but no limit of the user's: the model's context is full
# Written without underscores, so that MAX_TOKENS, max-tokens and maxTokens are one word.
WORDS_BY_REASON: dict[str, tuple[str, ...]] = {
    "": (  # no claim at all: nothing, or that the answer goes on
        "", "null", "none", "nil", "undefined", "unspecified", "notfinished", "inprogress",
        "generating", "continue",
    ),
    STOP: (
        "stop", "stopped", "stopsequence", "stopstring", "stopstringfound", "stopword",
        "stoptoken", "stopcriteriamet", "eos", "eostoken", "eosfound", "eot", "endoftext",
        "endturn", "endofturn", "end", "complete", "completed", "finish", "finished", "done",
        "normal", "success",
    ),
    LENGTH: (
        "length", "maxtokens", "maxoutputtokens", "maxnewtokens", "maxlength", "maxlen",
        "limit", "tokenlimit", "maxpredictedtokensreached",
    ),
    CONTEXT_FULL: (
        "modellength", "modelcontextwindowexceeded", "contextwindowexceeded", "context",
        "contextlength", "contextlengthexceeded", "contextlengthreached", "contextlimit",
        "maxcontext", "errorlimit",
    ),
    TOOL_CALLS: ("toolcalls", "toolcall", "tooluse", "functioncall", "functioncalls"),
    CONTENT_FILTER: (
        "contentfilter", "refusal", "refused", "recitation", "imagerecitation", "blocklist",
        "spii", "language", "modelarmor", "errortoxic", "guardrailintervened", "sensitive",
    ),
    FAILED: (
        "error", "failed", "failure", "other", "imageother", "noimage", "abort", "aborted",
        "timeout", "timelimit", "insufficientsystemresource", "missingthoughtsignature",
        "modelunloaded", "overloaded", "invalid",
    ),
}  # fmt: skip
REASON_BY_WORD = {word: kind for kind, words in WORDS_BY_REASON.items() for word in words}
# What a word says that stands nowhere; the first that fits. An unknown one is never a `stop`.
WORD_FRAGMENTS = (
    (FAILED, ("malformed", "error", "failed", "failure", "timeout", "abort")),
    (CONTENT_FILTER, ("filter", "safety", "sensitive", "prohibited", "guardrail", "moderat",
                      "toxic", "blocked", "violat", "policy", "refus")),
    (TOOL_CALLS, ("toolcall", "tooluse", "functioncall")),
    (CONTEXT_FULL, ("contextlength", "contextwindow", "contextlimit")),
    (LENGTH, ("maxtoken", "tokenlimit", "maxoutput", "maxlength", "toolong")),
)  # fmt: skip
UNKNOWN = "unknown"
# A word never gives way to one of a lower rank: a later `stop` makes no answer whole that was cut.
REASON_RANKS = {STOP: 0, LENGTH: 1, CONTEXT_FULL: 1, TOOL_CALLS: 2, CONTENT_FILTER: 2, FAILED: 2}


def parse_reason_word(value: Any) -> str:
    """A finish reason as the server wrote it, in lower case; "" where there is none.

    Some servers send an object: {"type": "length", "length": 50}, {"reason": "endoftext"}.
    """
    if isinstance(value, dict):
        value = value.get("type") or value.get("reason")
    return value.strip().lower() if isinstance(value, str) else ""


def classify_reason(word: str) -> str:
    """What a word of `word_of` means: "" = nothing, UNKNOWN = it stands in no list."""
    # Some send the name of an enumeration's member: FinishReason.STOP, FINISH_REASON_STOP.
    name = word.rpartition(".")[2].replace("-", "_").replace(" ", "_")
    name = name.removeprefix("finish_").removeprefix("reason_").replace("_", "")
    kind = REASON_BY_WORD.get(name)
    if kind is not None:
        return kind
    signs = (kind for kind, signs in WORD_FRAGMENTS if any(sign in name for sign in signs))
    return next(signs, UNKNOWN)


def is_finish_reason(value: Any) -> bool:
    """Whether a field says that the answer is over."""
    return bool(value) and classify_reason(parse_reason_word(value)) != ""


def takes_precedence(new: str, old: str | None) -> bool:
    """Whether a later finish reason takes an earlier one's place."""
    return old is None or REASON_RANKS.get(classify_reason(new), 9) >= REASON_RANKS.get(
        classify_reason(old), 0
    )
