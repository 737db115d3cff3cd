"""Writes the table of docs/providers.md: what each provider needs, and what works with it.

    python -m tests.contract.table

A row follows from the provider's row in vendors.py. Its ticks stand for the tests of the protocol
that it speaks: every protocol in TESTED_BY keeps the whole contract.
"""

from pathlib import Path

from easyllm_cli.config.endpoints import is_loopback
from easyllm_cli.vendors import VENDORS, Vendor, get_endpoint_variable
from tests.support import ROOT
from tests.support.adapters import ADAPTERS

PAGE = ROOT / "docs" / "providers.md"
BEGIN, END = "<!-- written by tests/contract/table.py -->\n", "<!-- end -->\n"
COLUMNS = (
    "provider", "protocol", "key", "another endpoint", "images", "reasoning", "JSON schema",
    "list of models", "SDK",
)  # fmt: skip
YES, NO = "✓", "·"
WITH_SDK = ("openai", "openrouter", "gemini")  # adapters that take transport = "sdk"
PROTOCOLS = {
    "openai": "Chat Completions",
    "ollama": "Ollama's own",
    "openrouter": "Chat Completions",
    "gemini": "Gemini's own",
    "cohere": "Cohere's own, version 2",
    "anthropic": "Messages",
    "litellm": "the vendor's, through the package",
    "local": "none: in this process",
}
# The tests of the adapters that are not in the contract suite's own table.
TESTED_BY = {
    **{adapter.provider: "tests/contract/test_answers.py" for adapter in ADAPTERS},
    "litellm": "tests/extras/test_contract_litellm.py",
    "local": "tests/extras/test_local.py",
}


def describe_key(name: str, vendor: Vendor) -> str:
    """Return the variables of the provider's key, as Markdown."""
    variables = " or ".join(f"`{variable}`" for variable in vendor.key_variables)
    if name == "ollama":
        return f"{variables}, for ollama.com only"
    if not variables:
        return "the vendor's own" if name == "litellm" else "none"
    return f"optional: {variables}" if is_loopback(vendor.base_url or "none") else variables


def format_row(name: str, vendor: Vendor) -> str:
    """Return the provider's row of the table."""
    protocol = "Responses" if vendor.default_api == "responses" else PROTOCOLS[vendor.adapter]
    protocol += ", Responses" * (name == "openai") + ", Messages" * bool(vendor.messages_url)
    endpoint = "" if name in ("litellm", "local") else f"`{get_endpoint_variable(name)}`"
    lists_models = NO if vendor.models_note or name == "litellm" else YES
    cells = [
        f"`{name}`",
        protocol,
        describe_key(name, vendor),
        endpoint,
        YES,
        YES,
        YES if vendor.takes_schema else "in words",
        lists_models,
        YES if vendor.adapter in WITH_SDK else NO,
    ]
    return "| " + " | ".join(cells) + " |"


def format_table() -> str:
    """Return the whole table."""
    head = ["| " + " | ".join(COLUMNS) + " |", "|" + "---|" * len(COLUMNS)]
    rows = [format_row(name, vendor) for name, vendor in VENDORS.items()]
    return "\n".join([*head, *rows]) + "\n"


def split_page(page: str) -> tuple[str, str, str]:
    """Return the page before the table, the table, and the page after it."""
    before, _, rest = page.partition(BEGIN)
    table, _, after = rest.partition(END)
    return before, table, after


def main(page: Path = PAGE) -> None:
    before, _, after = split_page(page.read_text("utf-8"))
    page.write_text(before + BEGIN + format_table() + END + after, "utf-8")


if __name__ == "__main__":
    main()
