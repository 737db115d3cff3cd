"""Tests of easyllm_cli/transport."""
