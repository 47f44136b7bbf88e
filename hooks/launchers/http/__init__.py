"""The `http` launcher: asks an engine by requests that the document describes; knows no database."""

from hooks.launchers.http.launcher import HttpLauncher

__all__ = ["HttpLauncher"]
