"""A data folder as a Headwater with an older PostgreSQL left it: the wheel has such programs too."""

import subprocess
from pathlib import Path

from catalog.embedded.account import ServerAccount, server_account
from catalog.embedded.binaries import find_server
from catalog.embedded.cluster import ACCESS, ADMINISTRATOR, CATALOG
from catalog.embedded.places import cluster_place
from tests.services.postgresql import connect

#: The oldest major version in the wheel.
MAJOR = "16"


def server_program(account: ServerAccount) -> Path:
    program = find_server(MAJOR, account)
    assert program is not None
    return program


def make_old_cluster(data_dir: Path, initdb: Path | None = None) -> None:
    """Make a cluster of the old version in the data folder, with a configuration that only that version knows."""
    account = server_account()
    place = cluster_place(data_dir, account)
    program = initdb or server_program(account).with_name("initdb")
    command = [str(program), f"--pgdata={place.cluster}", f"--username={ADMINISTRATOR}", "--auth=peer"]
    with account.popen([*command, "--encoding=UTF8", "--locale=C"], output=subprocess.DEVNULL) as process:
        assert process.wait() == 0
    place.settle()
    names = sorted({account.name, "root" if account.dedicated else account.name})
    identities = "".join(
        f'headwater "{name}" {role}\n' for name in names for role in (ADMINISTRATOR, CATALOG)
    )
    # A setting that later versions do not have any more.
    configuration = "listen_addresses = ''\nunix_socket_permissions = 0700\nold_snapshot_threshold = -1\n"
    for name, content in (
        ("postgresql.conf", configuration),
        ("pg_hba.conf", ACCESS),
        ("pg_ident.conf", identities),
    ):
        (place.cluster / name).write_text(content)


def one(url: str, statement: str) -> object:
    with connect(url) as connection:
        row = connection.execute(statement).fetchone()  # type: ignore[call-overload]  # the statement is the test's
        assert row is not None
        return row[0]
