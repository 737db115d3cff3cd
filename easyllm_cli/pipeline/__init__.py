"""The stages around an attempt at an answer: retry, reasoning, completeness."""
