"""Benchmarks, run by hand: CPU time of whole processes, as multiples of a bare script."""
