"""The faults of the tests, tried against other tools: docs/faults.md."""
