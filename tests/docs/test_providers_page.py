"""docs/providers.md: its table is what the contract suite, collected now, would write."""

from tests.contract.table import is_old


def test_the_table_is_what_the_suite_proves() -> None:
    assert not is_old(), "outdated; run: python -m tests.contract.table"
