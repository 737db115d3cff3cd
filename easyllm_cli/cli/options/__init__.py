"""The options of the commands: each is declared once, in a group."""
