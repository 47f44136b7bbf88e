"""Two DAGs that know nothing of Headwater: what each reads and writes is said by Airflow's own assets.

Neither has a schedule: Headwater starts each when what it reads has a new version.
"""

import csv
import json
import os
from pathlib import Path
from typing import Any

from airflow.sdk import Asset, dag, task

FOLDER = Path(os.environ.get("ORDERS_FOLDER", "/tmp/orders"))  # noqa: S108 - an example's files
ORDERS = Asset(f"file://{FOLDER}/orders.csv")
REPORT = Asset(f"file://{FOLDER}/report.json")
PAGE = Asset(f"file://{FOLDER}/report.html")


@dag(schedule=None, is_paused_upon_creation=False)
def orders_report() -> None:
    """Adds up the orders."""

    @task(inlets=[ORDERS], outlets=[REPORT])
    def add_up(dag_run: Any = None) -> None:
        """Write the sum, and which version of the orders it is of."""
        with (FOLDER / "orders.csv").open(encoding="utf-8", newline="") as file:
            prices = [float(row["price"]) for row in csv.DictReader(file)]
        versions = dag_run.conf.get("headwater", {}).get("versions", [])
        report = {
            "orders": len(prices),
            "sum": sum(prices),
            "versions": [found["version"] for found in versions],
        }
        (FOLDER / "report.json").write_text(json.dumps(report), encoding="utf-8")

    add_up()


@dag(schedule=None, is_paused_upon_creation=False)
def orders_page() -> None:
    """Shows the sum."""

    @task(inlets=[REPORT], outlets=[PAGE])
    def write() -> None:
        """Write the page."""
        report = json.loads((FOLDER / "report.json").read_text("utf-8"))
        (FOLDER / "report.html").write_text(
            f"<p>{report['orders']} orders: {report['sum']}</p>\n", encoding="utf-8"
        )

    write()


orders_report()
orders_page()
