"""Tests of the command as a process: what it prints, writes, sends and ends with."""
