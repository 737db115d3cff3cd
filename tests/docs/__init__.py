"""Tests of the documents: their samples run, their tables are those of the code."""
