"""Tests that need an optional package; unit/test_extras.py runs them in a venv of their own."""
