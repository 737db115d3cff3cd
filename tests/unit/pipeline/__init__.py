"""Tests of easyllm_cli/pipeline."""
