"""Tests of the documents: samples run, and tables match the code."""
