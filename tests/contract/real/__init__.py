"""Tests that mostly wait for a real model; test_real_models.py runs them beside the others."""
