"""Adapter for all vendors that the litellm package supports."""
