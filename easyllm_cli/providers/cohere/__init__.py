"""Adapter and decoder for Cohere's Chat API, version 2."""
