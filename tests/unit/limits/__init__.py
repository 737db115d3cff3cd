"""Tests of rate limits and budgets."""
