"""Hypothesis against everything that comes from outside; long: --hypothesis-profile=long."""
