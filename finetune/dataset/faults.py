"""What is wrong with many lines or rows: the first of it word for word, all of it counted."""

from __future__ import annotations

from dataclasses import dataclass, field

_KEPT = 20


@dataclass(slots=True)
class Faults:
    """Sentences that each name file and row; only the first twenty are kept, so that a wrong file fills no memory."""

    kept: list[str] = field(default_factory=list)
    count: int = 0

    def add(self, fault: str) -> None:
        """Note one more."""
        self.count += 1
        if self.count <= _KEPT:
            self.kept.append(fault)

    def __str__(self) -> str:
        rest = self.count - len(self.kept)
        return "\n".join(self.kept + ([f"… and {rest} more: {self.count} in all."] if rest else []))
