"""What all folders share: the options, and the line that `make test` adds up."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))


def pytest_addoption(parser) -> None:
    parser.addoption("--sdk", default="0.3.1", help="version of the published SDK")
    parser.addoption("--database", default="", help="URL of the hub's database; a SQLite file of its own without it")
    parser.addoption("--ledger", default="", help="file that receives the outcome of every call")


def pytest_terminal_summary(terminalreporter) -> None:
    def number(*names: str) -> int:
        return sum(len(terminalreporter.stats.get(name, [])) for name in names)

    failed = number("failed", "error")
    word = "FAILED" if failed else "ok"
    line = f"test result: {word}. {number('passed')} passed; {failed} failed; {number('skipped')} ignored"
    terminalreporter.write_line(line)
