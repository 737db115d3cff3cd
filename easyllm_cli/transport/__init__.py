"""Bytes: one request out, its answer back in pieces, and what can go wrong on the way."""
