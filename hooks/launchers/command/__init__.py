"""The `command` launcher: runs programs on this host; owns the run folders, and knows no database."""

from hooks.launchers.command.host import boot_identity, host_identity
from hooks.launchers.command.launcher import CommandLauncher
from hooks.launchers.command.shim import do_not_bequeath_ignored_signals

__all__ = ["CommandLauncher", "boot_identity", "do_not_bequeath_ignored_signals", "host_identity"]
