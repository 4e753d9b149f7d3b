"""Marks every test under test/integration as an integration test, so that no file can forget to."""

from pathlib import Path

import pytest

INTEGRATION = Path(__file__).parent / "test" / "integration"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.is_relative_to(INTEGRATION):
            item.add_marker(pytest.mark.integration)
