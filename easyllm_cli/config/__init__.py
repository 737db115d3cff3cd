"""Which provider, which model, which key: profiles, their file, credentials."""
