"""What each table of the database is the truth of; whoever adds a table says it here, and a test holds that.

`headwater verify` compares what is made from the ledger, `headwater backup` keeps everything but views, a checkpoint
is a copy of the state, and retention takes from the ledger alone: all four go by this one list.
"""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType


class TableRole(StrEnum):
    """What a table holds, and so what may be done with it."""

    LEDGER = "ledger"
    """What was said or decided, made from nothing else; and the state that stands for what is not kept of it."""
    STATE = "state"
    """Made from the ledger by the state follower alone: the same facts make the same rows."""
    VIEW = "view"
    """Made from the state, and made anew from it at any time."""
    WORK = "work"
    """How far work has come: cursors, claims, jobs, hosts."""
    ACCESS = "access"
    """Who may come in."""


def _roles(role: TableRole, *names: str) -> dict[str, TableRole]:
    return dict.fromkeys(names, role)


#: Every table of the migrated schema but Alembic's own; partitions count as their table.
TABLES: Mapping[str, TableRole] = MappingProxyType(
    _roles(TableRole.LEDGER, "checkpoint", "checkpoint_part", "fact", "fact_digest")
    | _roles(
        TableRole.STATE,
        "column_lineage",
        "command_result",
        "consumption",
        "dataset",
        "dataset_alias",
        "dataset_class",
        "dataset_facet",
        "dataset_rename",
        "dataset_schema",
        "dataset_version",
        "decision",
        "document",
        "events_removed",
        "facet_body",
        "input_queue",
        "installation",
        "job",
        "job_facet",
        "job_parent",
        "job_shape",
        "observation",
        "pause_of_all",
        "pipeline",
        "pipeline_run",
        "pipeline_run_transition",
        "run",
        "shape",
        "skipped",
        "version_event",
        "version_maker",
    )
    | _roles(
        TableRole.VIEW,
        "graph_edge",
        "graph_generation",
        "graph_node",
        "graph_shape",
        "search_change",
        "search_entry",
        "search_word",
    )
    | _roles(
        TableRole.WORK,
        "applied_late",
        "attempt_claim",
        "compatibility",
        "engine_attempt",
        "follower",
        "host",
        "log_level",
        "parked",
        "procrastinate_events",
        "procrastinate_jobs",
        "procrastinate_periodic_defers",
        "procrastinate_workers",
        "removal",
        "removal_waiting",
        "webhook",
        "webhook_message",
    )
    | _roles(TableRole.ACCESS, "token")
)


def tables_of(*roles: TableRole) -> list[str]:
    """Return the names of the tables with one of the roles, sorted."""
    return sorted(name for name, role in TABLES.items() if role in roles)
