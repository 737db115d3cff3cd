"""Tests of easyllm_cli.history."""
