"""The words between which text is wrapped: at blanks and between ideographs."""

import re

WIDE_RANGES = (
    "\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe4f\uff00-\uff60\uffe0-\uffe6"
)
WIDE_RANGES += "\U00020000-\U0003fffd"
# Punctuation that must not begin a row stays with the ideograph before it.
CLOSING_PUNCTUATION = "、。，．！？：；」』）】》〉”’…,.!?;:)\\]"
WORD_PATTERN = re.compile(f"[{WIDE_RANGES}][{CLOSING_PUNCTUATION}]* *|[^ {WIDE_RANGES}]+ *| +")
