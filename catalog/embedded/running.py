"""The way for another process to the database of a `headwater up` that runs."""

from pathlib import Path

import psycopg
from sqlalchemy import URL

from catalog.embedded.cluster import CATALOG
from catalog.errors import ConfigurationError

#: Lines of postmaster.pid that tell port and socket folder, counted from 0 (PostgreSQL, src/include/utils/pidfile.h).
_PORT_LINE, _SOCKETS_LINE = 3, 4


def has_cluster(data_dir: Path) -> bool:
    """Return whether a database was ever made in the data folder."""
    return (data_dir / "postgresql").exists()


def running_url(data_dir: Path) -> str | None:
    """Return the SQLAlchemy URL of the server that runs on the data folder, None where none answers.

    The server says itself where its sockets are: the folder depends on the environment it was started in. Raises
    `ConfigurationError` where the cluster is another user's.
    """
    entry = data_dir / "postgresql"
    try:
        lines = (entry.resolve() / "postmaster.pid").read_text("utf-8", "surrogateescape").splitlines()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ConfigurationError(f"expected to read the database in {entry}: {error.strerror}") from error
    if len(lines) <= _SOCKETS_LINE:
        return None
    sockets, port = lines[_SOCKETS_LINE], lines[_PORT_LINE]
    try:
        psycopg.connect(host=sockets, port=port, user=CATALOG, dbname=CATALOG, connect_timeout=5).close()
    except psycopg.OperationalError:
        return None
    query = {"host": sockets, "port": port}
    url = URL.create("postgresql+psycopg", username=CATALOG, database=CATALOG, query=query)
    return url.render_as_string(hide_password=False)
