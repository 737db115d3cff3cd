"""Request fields for thinking, effort and the token limit, and what a refused request teaches.

Sources: https://platform.claude.com/docs/en/build-with-claude/adaptive-thinking,
https://platform.claude.com/docs/en/build-with-claude/extended-thinking (budget_tokens),
https://platform.claude.com/docs/en/build-with-claude/effort.
"""

from __future__ import annotations

import re
from typing import Any

from ...config.profile import Profile
from ...errors import EasyLLMError, RefusedError
from ..json_values import parse_object
from .capabilities import ModelCapabilities

# max_tokens is required. These are sent if the user sets no limit, so that they are never taken
# for the user's own: an answer that they cut is an incomplete one.
ANSWER_TOKENS = 8192
ANSWER_TOKENS_WITH_THINKING = 16_000
# A buffered answer of more tokens could take longer than 10 minutes (Anthropic's own SDK, 128,000
# tokens an hour: https://github.com/anthropics/anthropic-sdk-python#long-requests).
MAX_BUFFERED_TOKENS = 21_333
MIN_ROOM_TOKENS = 1024  # for the answer, beside a long prompt
MIN_BUDGET_TOKENS = 1024  # the smallest budget_tokens that the API accepts
BUDGET_TOKENS = {"minimal": 1024, "low": 1024, "medium": 4096, "high": 16_000, "max": 32_000}
DEFAULT_EFFORT = "medium"  # the budget for --think without an effort
EFFORT_LEVELS = ("low", "medium", "high", "xhigh", "max")
ADAPTIVE, ENABLED = "adaptive", "enabled"
SAMPLING_NAMES = r"temperature|top_p|top_k"
# `max_tokens: 8192 > 4096, which is the maximum allowed number of output tokens for …`
MAX_TOKENS_PATTERN = r"max_tokens: (\d+) > (\d+)"
# ``input length and `max_tokens` exceed context limit: 199000 + 8192 > 200000, …``
CONTEXT_PATTERN = r"exceed context limit: (\d+) \+ (\d+) > (\d+)"


class ThinkingControl:
    """Chooses how a request asks for thinking; learns from refusals, for all later requests.

    `default_type`: the `thinking.type` to try where the server does not say what it supports.
    `min_budget_tokens`: the smallest budget that the server accepts. `capabilities`: those of the
    model; the provider sets them before a request that needs them.
    """

    def __init__(self, profile: Profile, default_type: str, min_budget_tokens: int) -> None:
        self.profile = profile
        self._min_budget = min_budget_tokens
        self.capabilities = ModelCapabilities({})
        self.output_limit: int | None = None  # the budget's, in tokens
        self._default_type = default_type
        self._refused_types: set[str] = set()
        self._takes_display = True
        self._output_maximum: int | None = None  # the model's, as a refusal has named it
        self._context_room: int | None = None  # what the prompt leaves, for the next `write` only

    def without_knowledge(self, profile: Profile) -> ThinkingControl:
        """A control that knows nothing of the model and has learned nothing."""
        return ThinkingControl(profile, self._default_type, self._min_budget)

    @property
    def wants_thinking(self) -> bool:
        """Whether the profile asks for thinking."""
        effort = self.profile.reasoning
        return effort != "off" and bool(effort or self.profile.think)

    @property
    def user_limit(self) -> int | None:
        """The user's own `max_tokens`, which an option may set, too; None = there is none."""
        return self.profile.output_limit()

    @property
    def needs_capabilities(self) -> bool:
        """Whether the request depends on what the model supports."""
        return bool(self.profile.think or self.profile.reasoning)

    def note(self, model: str) -> str:
        """What the user asked for and the model cannot do; "" = nothing."""
        if self.profile.reasoning == "off" and not self._can_be_off and self._can_think:
            return f"{model} always thinks: --effort off does nothing"
        if not self.wants_thinking:
            return ""
        if not self._can_think:
            return "" if self._effort_level() else f"{model} does not think: asked without"
        if not self._thinking_type():
            return f"max_tokens leaves no room for thinking: {self._min_budget} tokens at least"
        return ""

    @property
    def _can_think(self) -> bool:
        """Whether the model may support thinking."""
        return self.capabilities.supports("thinking") is not False and bool(self._candidate_types())

    @property
    def _can_be_off(self) -> bool:
        """Whether the model may accept that thinking is turned off."""
        return self.capabilities.supports("thinking", "types", "disabled") is not False

    def write(self, body: dict[str, Any], stream: bool) -> None:
        """Set `max_tokens`, `thinking` and `output_config.effort` in a request's body."""
        thinking_type = self._thinking_type()
        body["max_tokens"] = self._max_tokens(thinking_type, stream)
        if self.profile.reasoning == "off":
            if self._can_be_off and self._can_think:
                body["thinking"] = {"type": "disabled"}
        elif thinking_type == ADAPTIVE:
            display = {"display": "summarized"} if self._takes_display else {}
            body["thinking"] = {"type": ADAPTIVE, **display}
        elif thinking_type == ENABLED:
            limit = self.user_limit or body["max_tokens"]
            budget = min(self._budget(), limit - self._min_budget)
            body["thinking"] = {"type": ENABLED, "budget_tokens": max(budget, self._min_budget)}
        if level := self._effort_level():
            body.setdefault("output_config", {})["effort"] = level
        self._context_room = None

    def learn(self, error: EasyLLMError, body: dict[str, Any]) -> bool:
        """Learn from a refused request; whether another one is worth sending."""
        if not isinstance(error, RefusedError) or error.status not in (400, 422):
            return False
        words = f"{error.parameter or ''} {error.message}"
        if self.user_limit is None and self._learn_limit(words, body):
            return True
        thinking = parse_object(body.get("thinking"))
        sent_type = thinking.get("type")
        if sent_type not in (ADAPTIVE, ENABLED) or _names_sampling(words, body):
            return False
        if "display" in words and "display" in thinking:
            self._takes_display = False
            return True
        if not re.search(rf"(?i)thinking|{ADAPTIVE}|budget_tokens", words) or self._refused_types:
            return False
        self._refused_types.add(sent_type)
        return True

    def _learn_limit(self, words: str, body: dict[str, Any]) -> bool:
        """Learn the largest max_tokens that the server names in a refusal of `body`, once.

        A context that leaves little room stays an error: the answer would only be cut.
        """
        sent = body.get("max_tokens")
        if not isinstance(sent, int):
            return False
        if match := re.search(CONTEXT_PATTERN, words):
            thinking_type = self._thinking_type()
            if sent < self._max_tokens(thinking_type, bool(body.get("stream"))):
                return False  # lowered already: a server whose numbers follow ours has no end
            room = int(match[3]) - int(match[1])
            needed = MIN_ROOM_TOKENS + self._min_budget * (thinking_type == ENABLED)
            self._context_room = room if needed <= room < sent else None
            return self._context_room is not None
        match = re.search(MAX_TOKENS_PATTERN, words)
        if not match or self._output_maximum is not None or not 0 < int(match[2]) < sent:
            return False
        self._output_maximum = int(match[2])
        return True

    def _thinking_type(self) -> str:
        """The `thinking.type` to send; "" = leave `thinking` out, or it is turned off."""
        if not self.wants_thinking or not self._can_think:
            return ""
        candidates = self._candidate_types()
        chosen = next((kind for kind in candidates if kind not in self._refused_types), "")
        limits = (
            self.user_limit or self.capabilities.max_output_tokens,
            self._output_maximum,
            self.output_limit,
        )
        has_no_room = any(limit is not None and limit <= self._min_budget for limit in limits)
        return "" if chosen == ENABLED and has_no_room else chosen

    def _candidate_types(self) -> list[str]:
        """The types to try, best first: those that the model supports, then those not excluded.

        A type that was tried first and refused is followed by the other one, whatever the
        capabilities say about it.
        """
        types = (self._default_type, ENABLED if self._default_type == ADAPTIVE else ADAPTIVE)
        answers = {kind: self.capabilities.supports("thinking", "types", kind) for kind in types}
        supported = [kind for kind in (ADAPTIVE, ENABLED) if answers[kind]]
        unknown = [kind for kind in types if answers[kind] is None]
        excluded = [kind for kind in types if answers[kind] is False and self._refused_types]
        return supported + unknown + excluded

    def _budget(self) -> int:
        """The `budget_tokens` of the effort; at most half of the user's own limit."""
        budget = BUDGET_TOKENS[self.profile.reasoning or DEFAULT_EFFORT]
        limit = self.user_limit
        return budget if limit is None else min(budget, max(limit // 2, self._min_budget))

    def _max_tokens(self, thinking_type: str, stream: bool) -> int:
        """The user's limit, else one that leaves room for thinking and the answer."""
        if self.profile.max_tokens is not None:
            return self.profile.max_tokens  # `-o max_tokens` replaces it
        wanted = ANSWER_TOKENS_WITH_THINKING if self.wants_thinking else ANSWER_TOKENS
        wanted += self._budget() if thinking_type == ENABLED else 0
        limits = (
            None if stream else MAX_BUFFERED_TOKENS,
            self.capabilities.max_output_tokens,
            self._output_maximum,
            self._context_room,
            self.output_limit,
        )
        return min([wanted, *(limit for limit in limits if limit)])

    def _effort_level(self) -> str:
        """The `output_config.effort` to send: the effort, or the next lower level that the model
        supports; "" = none."""
        effort = self.profile.reasoning
        if effort in (None, "off") or self.capabilities.supports("effort") is False:
            return ""
        if self.capabilities.supports("effort") is None and self._thinking_type() != ADAPTIVE:
            return ""  # budget_tokens says it
        level = "low" if effort == "minimal" else str(effort)
        lower = EFFORT_LEVELS[: EFFORT_LEVELS.index(level) + 1]
        supported = (
            name
            for name in reversed(lower)
            if self.capabilities.supports("effort", name) is not False
        )
        return next(supported, "")


def _names_sampling(words: str, body: dict[str, Any]) -> bool:
    """Whether an error is about a sampling parameter of the request.

    Such an error may name thinking, too: "`temperature` may only be set to 1 when thinking is
    enabled".
    """
    return any(name in body for name in re.findall(SAMPLING_NAMES, words))
