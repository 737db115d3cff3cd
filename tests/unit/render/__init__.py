"""Tests of easyllm_cli/render."""
