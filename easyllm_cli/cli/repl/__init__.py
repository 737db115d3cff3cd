"""`easyllm repl`: several questions in one process, each of which continues the conversation.

`start` prepares the session, `loop` reads and dispatches, `session` asks, `commands` is the table
of what begins with a slash, and `line_editor` is the only file that knows readline.
"""
