"""The table of docs/providers.md matches the vendors' rows and the tests of each protocol."""

from easyllm_cli.vendors import VENDORS
from tests.contract.table import PAGE, TESTED_BY, format_table, split_page
from tests.support import ROOT


def test_table_matches_the_vendors() -> None:
    table = split_page(PAGE.read_text("utf-8"))[1]
    assert table == format_table(), "outdated; run: python -m tests.contract.table"


def test_every_protocol_has_tests() -> None:
    for vendor in VENDORS.values():
        assert (ROOT / TESTED_BY[vendor.adapter]).is_file()
