"""Stand-in servers on 127.0.0.1 that speak the providers' protocols (docs/protocols.md)."""
