"""`easyllm profiles`: its commands, each in a file of its own."""

COMMANDS = {
    "list": "List the profiles of the file (the same as no command).",
    "show": "Show every value of a profile, and where it comes from.",
    "add": "Add a profile: NAME PROVIDER[:MODEL] KEY=VALUE…",
    "set": "Set one key of a profile; null takes it away.",
    "remove": "Take a profile out of the file.",
    "default": "Say or show which profile is asked when none is named.",
    "path": "Print where the profiles file is.",
    "edit": "Open the file in $EDITOR; it is checked before it counts.",
}
USUAL = "list"
EXAMPLE = "easyllm profiles set r1 timeout.idle 120"
