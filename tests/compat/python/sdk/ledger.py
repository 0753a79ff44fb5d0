"""Makes the calls of the SDK and keeps what became of each."""

import json
from collections import defaultdict
from pathlib import Path


class Ledger:
    """Outcomes by call; those of a test that failed are marked."""

    def __init__(self) -> None:
        self.outcomes: dict[str, set[str]] = defaultdict(set)
        self.current: list[str] = []

    def note(self, call: str, outcome: str) -> None:
        self.outcomes[call].add(outcome)
        self.current.append(call)

    def test_failed(self, test: str) -> None:
        for call in self.current:
            self.outcomes[call].add(f"FAILED in {test}")

    def lines(self) -> list[str]:
        width = max((len(call) for call in self.outcomes), default=0)
        return [f"{call:<{width}}  {', '.join(sorted(outcomes))}" for call, outcomes in sorted(self.outcomes.items())]

    def save(self, path: str, version: str, elsewhere: dict[str, str]) -> None:
        """Writes what `table.py` reads; `elsewhere` are calls that no test makes, with the reasons."""
        record = {call: sorted(outcomes) for call, outcomes in sorted(self.outcomes.items())}
        Path(path).write_text(json.dumps({"version": version, "calls": record, "elsewhere": elsewhere}, indent=1) + "\n")


class Driver:
    """An SDK client whose calls are written down: `sdk("auth.login", username=…)`."""

    def __init__(self, client, ledger: Ledger) -> None:
        self.client = client
        self.ledger = ledger
        self.name = ""
        self.email = ""
        self.id = 0

    def __call__(self, call: str, *arguments, **named):
        target = self.client
        try:
            for part in call.split("."):
                target = getattr(target, part)
            result = target(*arguments, **named)
            # Pages and streams ask only when they are read.
            if hasattr(result, "__next__"):
                result = list(result)
        except Exception as error:
            self.ledger.note(call, f"raises {type(error).__name__}")
            raise
        self.ledger.note(call, "returns")
        return result
