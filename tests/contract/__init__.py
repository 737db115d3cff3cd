"""The one contract of all adapters, and how answers come over the wire."""
