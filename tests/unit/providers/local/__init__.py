"""Tests of easyllm_cli/providers/local."""
