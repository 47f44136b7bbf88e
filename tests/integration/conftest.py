"""What integration tests share."""

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from sqlalchemy import make_url

from catalog.database import create_database_engine
from tests.services.postgresql import drop_database, fresh_database
from tests.support.history import history
from tests.support.spine import connect
from tests.support.story import Story


@pytest.fixture
def story(database_url: str) -> Iterator[Story]:
    """A story on a database of its own."""
    with connect(database_url) as connection:
        yield Story(connection)


@pytest.fixture(scope="session")
def lived_template(cluster_url: str, template_database: str) -> Iterator[str]:
    """The name of a database in which an installation has lived."""
    url = fresh_database(cluster_url, template_database)
    engine = create_database_engine(url, pool_size=2, application_name="headwater-test")
    with history(url, engine):
        pass
    engine.dispose()
    yield str(make_url(url).database)
    drop_database(url)


@pytest.fixture
def lived_database(cluster_url: str, lived_template: str) -> Iterator[str]:
    """The URL of a copy of that database."""
    url = fresh_database(cluster_url, lived_template)
    yield url
    drop_database(url)


@pytest.fixture
def lived(database_url: str) -> Iterator[psycopg.Connection[Any]]:
    """A connection to the test's database."""
    with connect(database_url) as connection:
        yield connection
