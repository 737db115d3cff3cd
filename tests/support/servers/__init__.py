"""Real model servers for the tests: downloaded once, started on demand, without an API key."""
