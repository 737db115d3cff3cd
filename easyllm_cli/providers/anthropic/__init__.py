"""Adapter and decoder for Anthropic's Messages API, and what reasoning its models support."""
