"""Writes the page `data/report/airline_delays.html`, which stands alone, from the mart carrier_performance.

It reads the Parquet file of the mart, not warehouse.duckdb, so that dbt may build the next state meanwhile.
"""

import logging
import sys
from dataclasses import dataclass
from html import escape
from pathlib import Path
from string import Template

import duckdb
from openlineage.client.event_v2 import InputDataset, OutputDataset
from openlineage.client.facet_v2 import (
    datasource_dataset,
    output_statistics_output_dataset,
    storage_dataset,
)

from lineage import DATABASE, WAREHOUSE, reported_run

HERE = Path(__file__).resolve().parent
MART = HERE / "data" / "marts" / "carrier_performance.parquet"
REPORT = Path("data/report/airline_delays.html")
PAGE = HERE / "report.html"

#: Size of a chart in its own units; the page scales it to the width of the screen.
BAR, GAP, HEIGHT = 20, 4, 60


@dataclass(frozen=True)
class Period:
    """Flights of one airline, or of all, in one month or in all."""

    month: str
    airline: str
    flights: int
    cancelled: int
    landed: int
    late: int
    delay_minutes: float | None
    """Average delay on arrival; None where no flight landed."""

    @property
    def late_share(self) -> float:
        """Share of the landed flights that were late, from 0 to 1."""
        return self.late / self.landed if self.landed else 0.0


def main() -> int:
    """Write the report and report that it was written."""
    logging.basicConfig(format="%(message)s")
    description = "Writes a page on the delays of airlines by month."
    mart = InputDataset(namespace=WAREHOUSE, name=f"{DATABASE}.marts.carrier_performance")
    with reported_run("airline_delays_report", description, [mart]) as run:
        page = render(read_periods(MART))
        write_whole(HERE / REPORT, page)
        run.outputs.append(_output(len(page.encode())))
    print(f"wrote {REPORT}")
    return 0


def read_periods(mart: Path) -> list[Period]:
    """Return every airline in every month, and the sums over airlines, months and both (named `all`)."""
    with duckdb.connect() as connection:
        rows = connection.execute(
            """
            select
                coalesce(flight_month, 'all') as month,
                coalesce(airline, 'all') as airline,
                sum(flights)::bigint,
                sum(cancelled_flights)::bigint,
                sum(landed_flights)::bigint,
                sum(late_flights)::bigint,
                sum(average_arrival_delay_minutes * landed_flights) / nullif(sum(landed_flights), 0)
            from read_parquet($mart)
            group by cube (flight_month, airline)
            order by month, airline
            """,
            {"mart": str(mart)},
        ).fetchall()
    return [Period(*row) for row in rows]


def render(periods: list[Period]) -> str:
    """Return the page."""
    found = {(period.month, period.airline): period for period in periods}
    months = sorted({period.month for period in periods} - {"all"})
    if not months:
        raise LookupError(f"expected flights in {MART.name}, found none")
    total = found["all", "all"]
    highest = max(period.late_share for period in periods)
    airlines = [period for period in periods if period.month == "all" and period.airline != "all"]
    airlines.sort(key=lambda period: period.late_share, reverse=True)

    def chart(airline: str) -> str:
        return _bars(airline, [(month, found.get((month, airline))) for month in months], highest)

    return Template(PAGE.read_text(encoding="utf-8")).substitute(
        period=escape(months[0] if len(months) == 1 else f"{months[0]} to {months[-1]}"),
        flights=f"{total.flights:,}",
        late=f"{total.late_share:.1%}",
        cancelled=f"{total.cancelled / total.flights:.1%}",
        delay=_minutes(total.delay_minutes),
        months=chart("all"),
        airlines="\n".join(_airline(period, chart(period.airline)) for period in airlines),
    )


def write_whole(path: Path, text: str) -> None:
    """Replace the file in one step, so that nobody reads half of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.draft")
    draft.write_text(text, encoding="utf-8")
    draft.replace(path)


def _airline(period: Period, chart: str) -> str:
    return (
        f'<tr><th scope="row">{escape(period.airline)}</th><td>{period.flights:,}</td>'
        f"<td>{period.late_share:.1%}</td><td>{_minutes(period.delay_minutes)}</td>"
        f'<td class="chart">{chart}</td></tr>'
    )


def _bars(airline: str, months: list[tuple[str, Period | None]], highest: float) -> str:
    bars = []
    for place, (month, period) in enumerate(months):
        share = period.late_share if period else 0.0
        height = HEIGHT * share / highest if highest else 0.0
        text = f"{month}: {share:.1%} late" if period else f"{month}: no flights"
        bars.append(
            f'<rect x="{place * (BAR + GAP)}" y="{HEIGHT - height:.1f}" width="{BAR}" height="{height:.1f}">'
            f"<title>{escape(text)}</title></rect>"
        )
    # Twelve months wide, also while fewer have come, so that a month is equally wide in every report.
    width = max(len(months), 12) * (BAR + GAP) - GAP
    label = escape(f"Share of late flights by month, {'all airlines' if airline == 'all' else airline}")
    return f'<svg viewBox="0 0 {width} {HEIGHT}" role="img" aria-label="{label}">{"".join(bars)}</svg>'


def _minutes(minutes: float | None) -> str:
    return "none" if minutes is None else f"{minutes:+.1f} min"


def _output(size: int) -> OutputDataset:
    return OutputDataset(
        namespace="file",
        name=str(REPORT),
        facets={
            "dataSource": datasource_dataset.DatasourceDatasetFacet(name="file", uri=f"file:{REPORT}"),
            "storage": storage_dataset.StorageDatasetFacet(storageLayer="file", fileFormat="html"),
        },
        outputFacets={
            "outputStatistics": output_statistics_output_dataset.OutputStatisticsOutputDatasetFacet(
                size=size, fileCount=1
            )
        },
    )


if __name__ == "__main__":
    sys.exit(main())
