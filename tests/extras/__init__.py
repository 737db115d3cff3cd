"""Tests that need an optional package; tests/unit/test_extras.py runs them in their own venv."""
