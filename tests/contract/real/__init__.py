"""Tests that mostly wait for a real model; tests/contract/test_real_models.py runs them."""
