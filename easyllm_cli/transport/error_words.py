"""What an error without a status is: its words are all there is to class it by."""

from __future__ import annotations

import re

from ..errors import (
    AuthError,
    BillingError,
    BusyError,
    EasyLLMError,
    FilteredError,
    NotFoundError,
    RefusedError,
)
from .response_errors import HINTS, WRONG_ENDPOINT

# A server that does not know the path; whoever reads it should look at the endpoint.
NO_PATH = (
    r"(?i)unexpected endpoint|no route|cannot (?:get|post) /|method not allowed"
    r"|(?:unknown|invalid|unsupported|unrecognized) (?:request )?(?:endpoint|url|path|route)"
    r"|(?:endpoint|url|path|route|page) (?:was )?not found|^not[ _]found\.?$"
)
# The first that fits counts: what passes by itself comes before what the caller did wrong.
KINDS: tuple[tuple[type[EasyLLMError], str], ...] = (
    (BusyError, r"rate.?limit|too many requests|overload|too busy|is busy|at capacity"
                r"|(?:temporarily|service|currently) unavailable|server.(?:had an )?error"),
    (BillingError, r"insufficient.{0,10}(?:balance|quota|credit|fund)|payment required|in arrears"
                   r"|exceeded your current quota"
                   r"|(?:out of|no|not enough) (?:credit|balance|fund)|quota (?:is )?exhausted"
                   r"|(?:balance|credit).{0,20}(?:exhausted|insufficient|not enough|too low)"
                   "|\u4f59\u989d\u4e0d\u8db3|\u6b20\u8d39"),
    (FilteredError, r"content.?(?:policy|filter)|(?<!case[ -])sensitive|moderation|inappropriate"),
    (AuthError, r"not authenticated|unauthori[sz]ed|unauthenticated|authentication|forbidden"
                r"|(?:permission|access) denied|not logged in|log.?in fail"
                r"|(?:invalid|incorrect|missing|wrong|expired|no).?(?:api.?key|token|credential)"
                r"|(?:api.?key|token|credential)s? (?:is |are |was |has )?(?:not valid|invalid"
                r"|missing|required|incorrect|expired|wrong)"),
    (NotFoundError, r"model.{0,80}(?:not found|does not exist|not exist)|no such model"
                    r"|unknown model|not a valid model"),
    (RefusedError, r"\binvalid|unsupported|not support|not permitted|not allowed|bad request"
                   r"|must be |\bis required|field required|missing required|validation"
                   r"|unknown (?:parameter|field)|extra inputs"),
)  # fmt: skip


def class_by_words(message: str, code: str) -> tuple[type[EasyLLMError], str | None]:
    """Which of our errors, and what to do; BusyError where the words say nothing that we know."""
    if re.search(NO_PATH, message):
        return NotFoundError, WRONG_ENDPOINT
    for kind, pattern in KINDS:
        if re.search(pattern, f"{code} {message}", re.IGNORECASE):
            return kind, HINTS.get(kind)
    return BusyError, None
