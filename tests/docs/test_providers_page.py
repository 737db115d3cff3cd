"""The table of docs/providers.md matches the tests of the contract suite."""

from tests.contract.table import is_old


def test_table_matches_the_contract_suite() -> None:
    assert not is_old(), "outdated; run: python -m tests.contract.table"
