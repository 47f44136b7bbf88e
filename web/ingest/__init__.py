"""Taking in: events and reports are validated, committed in groups, and only then acknowledged."""
