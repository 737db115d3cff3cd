"""Command-line options, declared once in groups that the commands share."""
