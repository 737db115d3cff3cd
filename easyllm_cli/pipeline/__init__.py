"""Provider-independent stages of an answer, joined in providers/base.py (`stream`)."""
