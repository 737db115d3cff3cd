"""Markdown of a growing answer, drawn on a terminal."""
