"""easyllm: ask any language model from the shell or from Python, and trust the answer."""

__version__ = "0.1.0"
