"""Making things happen: observations, versions, decisions, pipeline runs, launchers, jobs, the worker.

May import `catalog` and `policies`.
"""
