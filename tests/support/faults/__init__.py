"""The table of faults: wrong or odd server responses, and the expected end of a run."""
