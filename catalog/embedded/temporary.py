"""An embedded PostgreSQL that is gone afterwards, for what needs a database to try something on."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from catalog.embedded.server import EmbeddedPostgreSQL


@contextmanager
def temporary_database() -> Iterator[str]:
    """Yield the URL of an empty database on a server of its own; both are gone afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="headwater-"))
    database = EmbeddedPostgreSQL(folder, progress=lambda _: None)
    try:
        yield database.start()
    finally:
        database.stop()
        remove_cluster(folder)


def remove_cluster(data_dir: Path) -> None:
    """Remove the data folder and the cluster that it leads to; no server runs on it."""
    entry = data_dir / "postgresql"
    if entry.is_symlink():
        cluster = entry.resolve()
        shutil.rmtree(cluster)
        cluster.with_name(f"{cluster.name}.lock").unlink(missing_ok=True)
    shutil.rmtree(data_dir)
