"""Configuration: profiles, the profiles file, endpoints, credentials and stored keys."""
