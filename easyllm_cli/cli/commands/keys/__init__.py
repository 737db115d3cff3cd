"""`easyllm keys`: its commands, each in a file of its own."""

COMMANDS = {
    "list": "List the stored keys, masked (the same as no command).",
    "set": "Store a key, read from a hidden prompt or from stdin.",
    "remove": "Forget a key.",
}
USUAL = "list"
EXAMPLE = "easyllm keys set openai < key.txt"
