"""`headwater graph`: how the graph stands, made anew from its log, and held against it."""

from dataclasses import asdict

import typer
from sqlalchemy import Engine

from graph.maintenance import GraphMaintenance
from graph.postgresql.maintenance import PostgresqlGraphMaintenance
from web.cli.database import database_engine
from web.cli.exits import ExitCode
from web.cli.logs import log_to_stderr
from web.cli.options import AsJson, DataDir, group, settings_of
from web.cli.output import cell, print_facts, print_json, print_line, say, warn
from web.cli.progress import progress_bar
from web.cli.text import count

graph = group("Show, rebuild and verify the graph.")


def graph_maintenance(engine: Engine) -> GraphMaintenance:
    """Return the work of an operator on the store that this installation has."""
    return PostgresqlGraphMaintenance(engine)


@graph.command("status")
def show_status(data_dir: DataDir = None, *, as_json: AsJson = False) -> None:
    """Show how the graph stands against the log of observations."""
    log_to_stderr()
    with database_engine(settings_of(data_dir)) as engine:
        status = graph_maintenance(engine).status()
    if as_json:
        print_json(asdict(status))
        return
    print_facts(
        [
            ("generation", cell(status.generation)),
            ("nodes", cell(f"{status.nodes:,}")),
            ("edges", cell(f"{status.edges:,}")),
            (
                "waiting",
                cell(f"{count(status.waiting, 'observation')} (at {status.cursor} of {status.log_end})"),
            ),
            ("parked", cell(status.parked, "red" if status.parked else "")),
        ]
    )
    if status.rebuilding_at is not None:
        say(f"A rebuild is under way or was interrupted at {status.rebuilding_at} of {status.log_end}.")


@graph.command("rebuild")
def rebuild(data_dir: DataDir = None, *, as_json: AsJson = False) -> None:
    """Make the graph anew from the log; questions are answered from the old one meanwhile."""
    log_to_stderr()
    with database_engine(settings_of(data_dir)) as engine, progress_bar() as progress:
        rebuilt = graph_maintenance(engine).rebuild(progress)
    if as_json:
        print_json(asdict(rebuilt))
    else:
        print_line(
            f"rebuilt from {count(rebuilt.observations, 'observation')}, generation {rebuilt.generation}"
        )
    if rebuilt.parked:
        warn(
            f"{count(rebuilt.parked, 'observation')} could not be applied: `headwater follower list` shows them"
        )


@graph.command("verify")
def verify(data_dir: DataDir = None, *, as_json: AsJson = False) -> None:
    """Compare the graph with what its log makes of it; exit code 1 where they differ."""
    log_to_stderr()
    with database_engine(settings_of(data_dir)) as engine, progress_bar() as progress:
        found = graph_maintenance(engine).verify(progress)
    if as_json:
        print_json(
            {
                "equal": found.equal,
                "nodes": found.nodes,
                "edges": found.edges,
                "digest": found.digest.hex(),
                "expectedDigest": found.expected_digest.hex(),
                "missing": found.missing,
                "surplus": found.surplus,
                "differences": list(found.differences),
            }
        )
    else:
        size = f"{count(found.nodes, 'node')} and {count(found.edges, 'edge')}"
        if found.equal:
            print_line(f"equal: {size} are what the log makes, digest {found.digest.hex()}")
        else:
            print_line(f"different: {size}, {found.missing} missing, {found.surplus} surplus")
            for difference in found.differences:
                print_line(f"  {difference}")
            say("`headwater graph rebuild` makes the graph anew.")
    if not found.equal:
        raise typer.Exit(ExitCode.FAILURE)
