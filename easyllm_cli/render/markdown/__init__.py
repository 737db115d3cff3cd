"""Renders the Markdown of a streamed answer on a terminal."""
