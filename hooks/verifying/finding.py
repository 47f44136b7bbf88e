"""What a check looked at, and what it found that must not be."""

from dataclasses import dataclass, field

#: Things that are told in words; the rest is counted.
TOLD = 20


@dataclass(slots=True)
class Findings:
    """What one check found. `laws` are those of docs/laws.md that it can see broken."""

    check: str
    laws: tuple[int, ...]
    looked_at: int = 0
    wrong: int = 0
    told: list[str] = field(default_factory=list)

    def look(self, count: int = 1) -> None:
        """Count what was looked at."""
        self.looked_at += count

    def add(self, what: str) -> None:
        """Count one thing that must not be; the first ones are kept in words."""
        self.wrong += 1
        if len(self.told) < TOLD:
            self.told.append(what[:500])
