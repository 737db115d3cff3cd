"""The contract that all adapters keep, and tests of responses at the byte level."""
