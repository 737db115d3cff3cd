"""Adapter for GGUF models that run inside this process with llama.cpp."""
