"""docs/providers.md: its table is what the contract suite, collected now, would write."""

from tests.contract.table import is_old


def test_the_table_counts_the_tests_there_are() -> None:
    assert not is_old(), "python -m tests.contract.table writes it anew"
