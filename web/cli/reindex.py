"""`headwater reindex`: the index of the search, made anew."""

from catalog.database import driver_connection, translated_errors
from catalog.search.index import rebuild
from web.cli.database import database_engine
from web.cli.logs import log_to_stderr
from web.cli.options import AsJson, DataDir, settings_of
from web.cli.output import print_json, print_line
from web.cli.progress import progress_bar
from web.cli.text import count


def run_reindex(data_dir: DataDir = None, *, as_json: AsJson = False) -> None:
    """Make the index of the search anew.

    It is made from what is known; searches find less meanwhile, and say so.
    """
    log_to_stderr()
    with (
        database_engine(settings_of(data_dir)) as engine,
        progress_bar() as progress,
        translated_errors(),
        engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection,
    ):
        entries = rebuild(driver_connection(connection), progress)
    if as_json:
        print_json({"entries": entries})
    else:
        print_line(f"made anew: {count(entries, 'entry', 'entries')}")
