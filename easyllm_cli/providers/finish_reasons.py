"""Maps every vendor's finish reasons to OpenAI's, in one table for all protocols.

Sources: https://docs.anthropic.com/en/api/handling-stop-reasons (Anthropic),
https://ai.google.dev/api/generate-content#FinishReason (Gemini),
https://docs.cohere.com/reference/chat (Cohere), https://docs.bigmodel.cn (Zhipu),
https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html (Bedrock),
https://docs.mistral.ai/api (Mistral), https://cloud.ibm.com/apidocs/watsonx-ai (watsonx).
"""

from __future__ import annotations

from typing import Any

STOP, LENGTH, TOOL_CALLS, CONTENT_FILTER = "stop", "length", "tool_calls", "content_filter"
FAILED = "failed"  # the provider failed; the Completion keeps its own word
CONTEXT_FULL = (
    "context"  # reported as `length`, but the model's context was full: no limit of the user's
)
# Without underscores: MAX_TOKENS, max-tokens and maxTokens are the same word.
WORDS_BY_REASON: dict[str, tuple[str, ...]] = {
    "": (  # not a finish reason: the answer goes on
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
# For words not listed above: the first fragment that the word contains decides. `stop` has none:
# an unknown word must not make an answer complete.
WORD_FRAGMENTS = (
    (FAILED, ("malformed", "error", "failed", "failure", "timeout", "abort")),
    (CONTENT_FILTER, ("filter", "safety", "sensitive", "prohibited", "guardrail", "moderat",
                      "toxic", "blocked", "violat", "policy", "refus")),
    (TOOL_CALLS, ("toolcall", "tooluse", "functioncall")),
    (CONTEXT_FULL, ("contextlength", "contextwindow", "contextlimit")),
    (LENGTH, ("maxtoken", "tokenlimit", "maxoutput", "maxlength", "toolong")),
)  # fmt: skip
UNKNOWN = "unknown"
# A later word of a lower rank does not replace an earlier one: `stop` never replaces `length`.
REASON_RANKS = {STOP: 0, LENGTH: 1, CONTEXT_FULL: 1, TOOL_CALLS: 2, CONTENT_FILTER: 2, FAILED: 2}


def parse_reason_word(value: Any) -> str:
    """The server's finish reason in lower case; "" = none.

    Some servers send an object: {"type": "length", "length": 50}, {"reason": "endoftext"}.
    """
    if isinstance(value, dict):
        value = value.get("type") or value.get("reason")
    return value.strip().lower() if isinstance(value, str) else ""


def classify_reason(word: str) -> str:
    """The kind of a word from `parse_reason_word`; "" = no finish reason, UNKNOWN = not listed."""
    if word in REASON_BY_WORD:
        return REASON_BY_WORD[word]  # most words
    # Some servers send the name of an enum member: FinishReason.STOP, FINISH_REASON_STOP.
    name = word.rpartition(".")[2].replace("-", "_").replace(" ", "_")
    name = name.removeprefix("finish_").removeprefix("reason_").replace("_", "")
    kind = REASON_BY_WORD.get(name)
    if kind is not None:
        return kind
    kinds = (
        kind
        for kind, fragments in WORD_FRAGMENTS
        if any(fragment in name for fragment in fragments)
    )
    return next(kinds, UNKNOWN)


def is_finish_reason(value: Any) -> bool:
    """Whether the value of a field says that the answer is over."""
    return bool(value) and classify_reason(parse_reason_word(value)) != ""


def takes_precedence(new: str, old: str | None) -> bool:
    """Whether a later finish reason replaces an earlier one."""
    return old is None or REASON_RANKS.get(classify_reason(new), 9) >= REASON_RANKS.get(
        classify_reason(old), 0
    )
