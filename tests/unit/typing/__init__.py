"""Files that are only type-checked: `mypy` reads them with the rest of the tests."""
