"""The vendors' words for why an answer ended, in OpenAI's: one table for every protocol.

Lists of words: https://docs.anthropic.com/en/api/handling-stop-reasons (Anthropic),
https://ai.google.dev/api/generate-content#FinishReason (Gemini),
https://docs.cohere.com/reference/chat (Cohere), https://docs.bigmodel.cn (Zhipu),
https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html (Bedrock),
https://docs.mistral.ai/api (Mistral), https://cloud.ibm.com/apidocs/watsonx-ai (watsonx).
"""

from __future__ import annotations

from typing import Any

STOP, LENGTH, TOOL, FILTER = "stop", "length", "tool_calls", "content_filter"
FAILED = "failed"  # the provider gave up; its own word is kept
CONTEXT = "context"  # as `length`, but no limit of the user's: the model's context is full
# Written without underscores, so that MAX_TOKENS, max-tokens and maxTokens are one word.
WORDS: dict[str, tuple[str, ...]] = {
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
    CONTEXT: (
        "modellength", "modelcontextwindowexceeded", "contextwindowexceeded", "context",
        "contextlength", "contextlengthexceeded", "contextlengthreached", "contextlimit",
        "maxcontext", "errorlimit",
    ),
    TOOL: ("toolcalls", "toolcall", "tooluse", "functioncall", "functioncalls"),
    FILTER: (
        "contentfilter", "refusal", "refused", "recitation", "imagerecitation", "blocklist",
        "spii", "language", "modelarmor", "errortoxic", "guardrailintervened", "sensitive",
    ),
    FAILED: (
        "error", "failed", "failure", "other", "imageother", "noimage", "abort", "aborted",
        "timeout", "timelimit", "insufficientsystemresource", "missingthoughtsignature",
        "modelunloaded", "overloaded", "invalid",
    ),
}  # fmt: skip
KINDS = {word: kind for kind, words in WORDS.items() for word in words}
# What a word says that stands nowhere; the first that fits. An unknown one is never a `stop`.
SIGNS = (
    (FAILED, ("malformed", "error", "failed", "failure", "timeout", "abort")),
    (FILTER, ("filter", "safety", "sensitive", "prohibited", "guardrail", "moderat", "toxic",
              "blocked", "violat", "policy", "refus")),
    (TOOL, ("toolcall", "tooluse", "functioncall")),
    (CONTEXT, ("contextlength", "contextwindow", "contextlimit")),
    (LENGTH, ("maxtoken", "tokenlimit", "maxoutput", "maxlength", "toolong")),
)  # fmt: skip
UNKNOWN = "unknown"
# A word never gives way to one of a lower rank: a later `stop` makes no answer whole that was cut.
RANKS = {STOP: 0, LENGTH: 1, CONTEXT: 1, TOOL: 2, FILTER: 2, FAILED: 2}


def word_of(value: Any) -> str:
    """A finish reason as the server wrote it, in lower case; "" where there is none.

    Some servers send an object: {"type": "length", "length": 50}, {"reason": "endoftext"}.
    """
    if isinstance(value, dict):
        value = value.get("type") or value.get("reason")
    return value.strip().lower() if isinstance(value, str) else ""


def kind_of(word: str) -> str:
    """What a word of `word_of` means: "" = nothing, UNKNOWN = it stands in no list."""
    # Some send the name of an enumeration's member: FinishReason.STOP, FINISH_REASON_STOP.
    name = word.rpartition(".")[2].replace("-", "_").replace(" ", "_")
    name = name.removeprefix("finish_").removeprefix("reason_").replace("_", "")
    kind = KINDS.get(name)
    if kind is not None:
        return kind
    signs = (kind for kind, signs in SIGNS if any(sign in name for sign in signs))
    return next(signs, UNKNOWN)


def is_claim(value: Any) -> bool:
    """Whether a field says that the answer is over."""
    return bool(value) and kind_of(word_of(value)) != ""


def counts_more(new: str, old: str | None) -> bool:
    """Whether a later finish reason takes an earlier one's place."""
    return old is None or RANKS.get(kind_of(new), 9) >= RANKS.get(kind_of(old), 0)
