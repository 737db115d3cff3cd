"""The Markdown of the CommonMark specification's examples; README.md names the licence."""

import json
from pathlib import Path

EXAMPLES: list[str] = json.loads(Path(__file__).with_name("examples.json").read_text("utf-8"))
