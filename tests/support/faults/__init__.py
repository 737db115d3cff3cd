"""The table of faults: what servers do wrong, as data."""
