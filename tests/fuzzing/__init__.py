"""Hypothesis tests of everything that comes from outside; long: --hypothesis-profile=long."""
