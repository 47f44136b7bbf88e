"""What `verify` finds in a test's own database."""

from sqlalchemy import Engine

from graph.postgresql.maintenance import PostgresqlGraphMaintenance
from tests.support.history import plain
from web.verification import Verified, verify


def faults(engine: Engine, *only: str) -> dict[str, list[str]]:
    """What `verify` finds wrong, by check."""
    return {found.check: found.told for found in verified(engine, *only).findings if found.wrong}


def verified(engine: Engine, *only: str) -> Verified:
    """What `verify` finds."""
    url = engine.url.render_as_string(hide_password=False)
    return verify(plain(url), PostgresqlGraphMaintenance(engine), only=only)
