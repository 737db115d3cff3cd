"""Tests of easyllm_cli/config."""
