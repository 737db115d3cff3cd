"""Provider-independent stages of an answer: retry, reasoning split, completeness check."""
