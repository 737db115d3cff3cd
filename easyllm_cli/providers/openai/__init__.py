"""Adapters and decoders for OpenAI's Chat Completions and Responses APIs."""
