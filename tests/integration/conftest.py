"""What integration tests share."""

from collections.abc import Iterator

import pytest

from tests.support.spine import connect
from tests.support.story import Story


@pytest.fixture
def story(database_url: str) -> Iterator[Story]:
    """A story on a database of its own."""
    with connect(database_url) as connection:
        yield Story(connection)
