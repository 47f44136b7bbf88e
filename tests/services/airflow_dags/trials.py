"""DAGs for trials of the `airflow` launcher: each start of a task leaves a line in a file."""

import os
import time
from pathlib import Path
from typing import Any

from airflow.sdk import dag, task

STARTS = Path(os.environ["TRIALS_STARTS"])


@dag(schedule=None, is_paused_upon_creation=False)
def working() -> None:
    @task
    def work(dag_run: Any = None) -> None:
        with STARTS.open("a", encoding="utf-8") as file:
            file.write(f"{dag_run.run_id} {os.getpid()}\n")
        time.sleep(float(dag_run.conf["seconds"]))

    work()


@dag(schedule=None, is_paused_upon_creation=False)
def failing() -> None:
    @task
    def extract() -> None:
        raise ValueError("there is nothing to extract")

    extract()


# As DAGs are unless they or the settings say otherwise.
@dag(schedule=None, is_paused_upon_creation=True)
def resting() -> None:
    @task
    def rest() -> None:
        pass

    rest()


working()
failing()
resting()
