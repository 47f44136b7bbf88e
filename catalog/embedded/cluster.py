"""A PostgreSQL cluster on disk: made at one stroke, configured anew at each start."""

import os
import secrets
import stat
import tempfile
from pathlib import Path

from catalog.embedded.account import ServerAccount, user_name
from catalog.embedded.binaries import Binaries
from catalog.embedded.places import ClusterPlace, sync_folder
from catalog.errors import DatabaseVersionMismatch, ServerFailed

#: The superuser of the cluster, for what the role `headwater` may not do.
ADMINISTRATOR = "postgres"
#: The role and the database of the catalog.
CATALOG = "headwater"

CONFIGURATION = """\
# Written by Headwater at each start. Put changes into local.conf beside this file.

# Local clients only; the folder of the socket is an argument of the server.
listen_addresses = ''
unix_socket_permissions = 0700
max_connections = 60
superuser_reserved_connections = 3

# Acknowledged is durable.
fsync = on
synchronous_commit = on
full_page_writes = on
wal_level = replica
max_wal_senders = 2
max_replication_slots = 2
max_wal_size = 1GB
min_wal_size = 80MB
checkpoint_timeout = 5min

# Small when idle: no helper processes that nothing needs.
shared_buffers = 64MB
huge_pages = off
wal_buffers = 8MB
work_mem = 8MB
maintenance_work_mem = 64MB
effective_cache_size = 512MB
jit = off
io_method = sync
max_logical_replication_workers = 0
max_worker_processes = 4
max_parallel_workers = 2
max_parallel_workers_per_gather = 0
autovacuum_max_workers = 2
autovacuum_worker_slots = 2
autovacuum_naptime = 30s
random_page_cost = 1.1

# What a dead client asked for is not computed to the end.
client_connection_check_interval = 5s

timezone = 'UTC'
log_timezone = 'UTC'
datestyle = 'iso, mdy'
lc_messages = 'C'
default_text_search_config = 'pg_catalog.english'

logging_collector = off
log_line_prefix = '%m [%p] '
log_checkpoints = off
log_startup_progress_interval = 1s
log_parameter_max_length_on_error = 0

include 'local.conf'
"""

ACCESS = """\
# Written by Headwater at each start: the kernel says who a client is, and nobody else comes in.
local all         all peer map=headwater
local replication all peer map=headwater
"""


def create_cluster(place: ClusterPlace, binaries: Binaries, account: ServerAccount) -> None:
    """Make the cluster with `initdb`; a kill leaves nothing under the final name, or all of it, on disk."""
    parent = place.cluster.parent
    fresh = place.unfinished()
    command = [str(binaries.initdb), f"--pgdata={fresh}", f"--username={ADMINISTRATOR}", "--auth=peer"]
    command += ["--encoding=UTF8", "--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
    command += ["--data-checksums", "--no-instructions"]
    with tempfile.TemporaryFile() as output:
        process = account.popen(command, output=output)
        try:
            code = process.wait()
        except BaseException:
            process.kill()
            process.wait()
            raise
        output.seek(0)
        said = output.read().decode(errors="replace").strip()
    if code != 0:
        raise ServerFailed(f"initdb could not make a cluster in {parent} (exit code {code}): {said[-2000:]}")
    fresh.rename(place.cluster)
    sync_folder(parent)


def configure_cluster(cluster: Path, binaries: Binaries, account: ServerAccount) -> None:
    """Write the configuration of this release.

    Raises `DatabaseVersionMismatch` where the cluster is of another major version of PostgreSQL; nothing was done then.
    """
    found = major_of(cluster)
    if found != binaries.major:
        raise DatabaseVersionMismatch(_how_to_go_on(cluster, found, binaries.major))
    clients = sorted({user_name(os.geteuid()), account.name})
    roles = [ADMINISTRATOR, CATALOG]
    lines = [f'headwater "{client}" {role}' for client in clients for role in roles]
    identities = "\n".join(["# Written by Headwater at each start.", *lines, ""])
    if not (cluster / "local.conf").exists():
        _write(cluster / "local.conf", "# Your settings: they win over those of postgresql.conf.\n", account)
    _write(cluster / "postgresql.conf", CONFIGURATION, account)
    _write(cluster / "pg_hba.conf", ACCESS, account)
    _write(cluster / "pg_ident.conf", identities, account)


def major_of(cluster: Path) -> str:
    """Return the major version of PostgreSQL that made the cluster."""
    return (cluster / "PG_VERSION").read_text().strip()


def _how_to_go_on(cluster: Path, found: str, expected: str) -> str:
    what = f"the database in {cluster} was made by PostgreSQL {found}, and this Headwater runs PostgreSQL {expected}"
    if found.isdigit() and int(found) < int(expected):
        return (
            f"{what}. `headwater upgrade-database` carries it over where the programs of PostgreSQL {found} are still"
            " on this machine. Else write it out with the release that made it (`headwater backup FILE`), move the"
            " folder away, and `headwater restore FILE --continue` with this one. Nothing was changed"
        )
    return f"{what}: run it with a release that has PostgreSQL {found}. Nothing was changed"


def _write(file: Path, content: str, account: ServerAccount) -> None:
    """Replace the file at one stroke if its content differs."""
    if file.is_file() and file.read_text() == content:
        return
    fresh = file.with_name(f"{file.name}.new-{secrets.token_hex(4)}")
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    with os.fdopen(os.open(fresh, flags, stat.S_IRUSR | stat.S_IWUSR), "w") as opened:
        if account.dedicated:
            os.fchown(opened.fileno(), account.uid, account.gid)
        opened.write(content)
        opened.flush()
        os.fsync(opened.fileno())
    fresh.rename(file)
