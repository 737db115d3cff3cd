"""Real model servers for the tests: fetched once, started on demand, no API key."""
