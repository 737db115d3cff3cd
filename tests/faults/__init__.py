"""Every fault of FAULTS §4 as a table, and the real binary run against it over each protocol."""
