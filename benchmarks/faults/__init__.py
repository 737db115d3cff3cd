"""Runs the tests' faults against other tools and writes docs/faults.md."""
