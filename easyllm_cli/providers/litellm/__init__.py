"""Providers reached through the package litellm."""
