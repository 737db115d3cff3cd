"""Tests of easyllm_cli.recordings and of the stage that uses it."""
