"""What DESIGN §8 promises, measured by hand: CPU of processes, in multiples of a bare script."""
