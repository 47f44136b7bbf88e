"""The `airflow` launcher: starts DAG runs of Apache Airflow 3 over its REST API; knows no database."""

from hooks.launchers.airflow.launcher import AirflowLauncher

__all__ = ["AirflowLauncher"]
