"""Tests that need an optional package; tests/test_extras.py runs them in a venv of their own."""
