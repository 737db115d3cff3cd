"""Runs the library and the command against every fault of tests/support/faults."""
