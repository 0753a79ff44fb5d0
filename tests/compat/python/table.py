"""Writes docs/compatibility.md from what the runs of `sdk/` left behind: table.py FOLDER; with --check only compares."""

import json
import re
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
PAGE = HERE.parents[2] / "docs" / "compatibility.md"
HEAD = """# Published SDKs against this hub

[MCP and OAuth clients](#mcp-and-oauth-clients) are at the end. Every public call of the Python SDK (`syfthub-sdk` on PyPI, unmodified), made against a running hub by `make test`. This page is
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
OAUTH = """
## MCP and OAuth clients

`make test` runs these packages, unmodified, twice: against one process on SQLite, and through nginx against the three services on PostgreSQL
and Redis. Each finds the hub's documents by itself, registers, sends its person to the hub's own pages in Chromium (with and without JavaScript), comes
back with a code, uses the token, renews it without the person, and ends it; from then on it is refused. Nothing about the hub is configured but
its address.

| Client | Version | Registers itself | Publishes a document | Made by the operator | What else is seen |
|---|---|---|---|---|---|
{rows}

"Registers itself" is RFC 7591, "publishes a document" a client ID metadata document that the hub fetches with TLS, "made by the operator" a client of
`syfthub clients add`.

* The SDK for TypeScript refreshes when it is told that its token has too few scopes, which gives it no more. A program on it that wants to ask for more
  forgets its tokens first.
* MCP clients compare the address that they were given with the one in the hub's documents. Give them the hub's own name (`SYFTHUB_PUBLIC_URL`; on your own
  machine `localhost`, not `127.0.0.1`).
"""
# Package, where its version is, how it registers, how it does with a document, how when the operator made it, what else.
CLIENTS = [
    ("`mcp` (PyPI)", "mcp", "public, `client_secret_basic`, `client_secret_post`", "public", "the same three",
     "2026-07-28 and the handshake before it; tools, resources, prompts; asks for more scopes when a tool needs them; a person who does not agree"),
    ("`@modelcontextprotocol/sdk` (npm)", "@modelcontextprotocol/sdk", "public, `client_secret_basic`, `client_secret_post`", "public", "the same three",
     "tools, progress, resources, prompts, completion; asks for more scopes"),
    ("MCP Inspector's command line (npm)", "@modelcontextprotocol/inspector", "public", "public", "public, `client_secret_basic`",
     "both eras of the protocol; tools, resources, prompts; what it keeps is renewed (its command line never revokes: the test does)"),
    ("`openid-client` (npm)", "openid-client", "public, `client_secret_basic`, `client_secret_post`", "public", "the same three",
     "OpenID Connect with signed ID tokens, `iss`, userinfo, introspection, pushed requests, DPoP, devices without a browser, fewer scopes at a refresh, tokens for `/api`"),
    ("`authlib` (PyPI)", "authlib", "public, `client_secret_basic`, `client_secret_post` (registered with one request: it has no call for it)", "public", "the same three",
     "ID tokens, userinfo, introspection, tokens for `/api`"),
]  # fmt: skip


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
    return HEAD + "\n" + "\n".join(lines) + "\n" + ELSEWHERE + "\n".join(others) + "\n" + oauth()


def oauth() -> str:
    """The clients of `oauth/`, with the versions that are installed."""
    versions = json.loads((HERE / "oauth" / "package.json").read_text())["dependencies"]
    versions |= dict(re.findall(r"^([\w-]+)==(\S+)$", (HERE / "requirements.in").read_text(), re.MULTILINE))
    rows = [f"| {name} | {versions[key]} | {' | '.join(cells)} |" for name, key, *cells in CLIENTS]
    return OAUTH.format(rows="\n".join(rows))


def title(ledger: dict) -> str:
    return ledger["version"] + ("" if "SQLite" in ledger["path"] else ", PostgreSQL")


def cell(outcomes: list[str] | None) -> str:
    if outcomes is None:
        return "–"
    return "✓" if "returns" in outcomes and not any(word.startswith("FAILED") for word in outcomes) else "fails"


if __name__ == "__main__":
    sys.exit(main())
