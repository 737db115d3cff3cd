"""Batch: asks a model for every row of a file, and writes each answer once, also after a crash.

`input_file` reads the lines, and `rows` makes a question of each. `state` is the file beside the
output that says which rows are done. `engine` asks, as fast as `pacing` allows; `output_rows` makes
the lines of the output, and `merge` puts them into the input's order. `caller` asks for the rows of
a batch in memory instead, without any file.
"""
