"""The diagnosis: every check, in the order in which one thing rests on another."""

from collections.abc import Callable, Iterator
from typing import Any

import psycopg

from catalog.errors import ConfigurationError, DatabaseUnavailable
from catalog.redaction import redact_text
from catalog.schema import read_schema
from catalog.settings import Settings
from web.access.boundary import Boundary
from web.bootstrap import conninfo
from web.doctor.database import (
    check_clock,
    check_connections,
    check_durability,
    check_migrations,
    check_sessions,
    check_tokens,
    check_version,
)
from web.doctor.finding import Finding, problem, unknown
from web.doctor.retention import check_retention
from web.doctor.surroundings import (
    check_address,
    check_data_folder,
    check_disk,
    check_variables,
    check_versions,
)
from web.doctor.working import (
    check_followers,
    check_ledger,
    check_parked,
    check_pause,
    check_queue,
    check_webhooks,
    check_workers,
)
from web.vitals import connect_briefly

DatabaseCheck = Callable[["psycopg.Connection[Any]", Settings], Iterator[Finding]]

#: By the name that a check has when it cannot be made.
_ANY_DATABASE: dict[str, DatabaseCheck] = {
    "database": check_version,
    "sessions": check_sessions,
    "connections": check_connections,
    "durability": check_durability,
    "clock": check_clock,
    "migrations": check_migrations,
}
_OUR_DATABASE: dict[str, DatabaseCheck] = {
    "ledger": check_ledger,
    "follower": check_followers,
    "parked": check_parked,
    "pause": check_pause,
    "retention": check_retention,
    "queue": check_queue,
    "webhooks": check_webhooks,
    "workers": check_workers,
}


def diagnose(settings: Settings, database_url: str) -> list[Finding]:
    """Return what every check found; never raises for what it looks at.

    What cannot be looked at is `unknown`, which is not `ok`.
    """
    findings = [
        *check_versions(),
        *check_variables(),
        *check_disk(settings),
        *check_data_folder(settings),
        *check_address(settings),
    ]
    wanted = dict(_ANY_DATABASE) | _OUR_DATABASE
    if not _is_for_this_machine(settings):
        wanted["tokens"] = check_tokens
    try:
        with connect_briefly(conninfo(database_url)) as connection:
            findings += _of_database(connection, settings, wanted)
    except (DatabaseUnavailable, ConfigurationError) as error:
        advice = (
            "start it, or look at HEADWATER_DATABASE_URL; `headwater up` starts one of its own without it"
        )
        findings.append(problem("database", redact_text(str(error)), advice))
        findings += [
            unknown(name, "the database does not answer", "mend the database first")
            for name in wanted
            if name != "database"
        ]
    return findings


def _of_database(
    connection: "psycopg.Connection[Any]", settings: Settings, wanted: dict[str, DatabaseCheck]
) -> Iterator[Finding]:
    is_ours = read_schema(connection).usable
    for name, check in wanted.items():
        if name not in _ANY_DATABASE and not is_ours:
            yield unknown(name, "the schema is not one that this version can use", "see `migrations`")
            continue
        try:
            yield from check(connection, settings)
        except psycopg.Error as error:
            found = f"the query failed: {redact_text(str(error).strip())[:300]}"
            yield unknown(
                name, found, "look at the database's log; its role needs to read Headwater's tables"
            )


def _is_for_this_machine(settings: Settings) -> bool:
    try:
        return Boundary.of(settings).loopback_only
    except ConfigurationError:
        return True
