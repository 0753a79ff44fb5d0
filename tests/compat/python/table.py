"""Writes docs/compatibility.md from what the runs of `sdk/` left behind: table.py FOLDER; with --check only compares."""

import json
import sys
from pathlib import Path

PAGE = Path(__file__).resolve().parents[3] / "docs" / "compatibility.md"
HEAD = """# Published SDKs against this hub

Every public call of the Python SDK (`syfthub-sdk` on PyPI, unmodified), made against a running hub by `make test`. This page is
written by `tests/compat/python/table.py` from what those runs saw, and they fail when it says something else.

* **✓** The call was made and its result compared with what the SDK's documentation promises.
* **–** This version does not have the call.
* **Refusals** are the exceptions that a test provoked with something that must not succeed, and got. The SDK has no class of its
  own for some statuses, such as 400 and 409; it raises `APIError` with the status.

`syftai.query_data_source` of 0.1.0, 0.1.1 and 0.2.0 sends no token. `syfthub node` answers nobody without one, so these versions get
a `RetrievalError` from it; a service that asks for no token answers them. `chat` works with nodes in all versions.
"""
ELSEWHERE = """
## Calls that do not come to the hub

| Call | Why no test makes it |
|---|---|
"""


def main() -> int:
    folder = Path(sys.argv[1])
    page = written([json.loads(path.read_text()) | {"path": path.stem} for path in sorted(folder.glob("calls-*.json"))])
    if sys.argv[2:] == ["--check"]:
        if PAGE.exists() and PAGE.read_text() == page:
            return 0
        print("docs/compatibility.md is not what the runs saw: python3 tests/compat/python/table.py target/compat")
        return 1
    PAGE.write_text(page)
    return 0


def written(ledgers: list[dict]) -> str:
    assert ledgers, "no ledgers: run `cargo xtask test --only compat` first"
    ledgers.sort(key=lambda ledger: ([int(part) for part in ledger["version"].split(".")], "SQLite" not in ledger["path"]))
    titles = [title(ledger) for ledger in ledgers]
    lines = [f"| Call | {' | '.join(titles)} | Refusals |", "|---" * (len(titles) + 2) + "|"]
    for call in sorted({call for ledger in ledgers for call in ledger["calls"]}):
        outcomes = [ledger["calls"].get(call) for ledger in ledgers]
        refusals = sorted({word.removeprefix("raises ") for of in outcomes for word in of or [] if word.startswith("raises ")})
        lines.append(f"| `{call}` | {' | '.join(map(cell, outcomes))} | {', '.join(f'`{name}`' for name in refusals)} |")
    reasons = {call: why for ledger in ledgers for call, why in ledger["elsewhere"].items()}
    others = [f"| `{call}` | {why} |" for call, why in sorted(reasons.items())]
    return HEAD + "\n" + "\n".join(lines) + "\n" + ELSEWHERE + "\n".join(others) + "\n"


def title(ledger: dict) -> str:
    return ledger["version"] + ("" if "SQLite" in ledger["path"] else ", PostgreSQL")


def cell(outcomes: list[str] | None) -> str:
    if outcomes is None:
        return "–"
    return "✓" if "returns" in outcomes and not any(word.startswith("FAILED") for word in outcomes) else "fails"


if __name__ == "__main__":
    sys.exit(main())
