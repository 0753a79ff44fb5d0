"""What openapi.json promises, tried by a fuzzer as a user and as an administrator."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from hub import Hub

HERE = Path(__file__).resolve().parent
# A number and no time: what is tried must not depend on how fast the machine is.
EXAMPLES = os.environ.get("SYFTHUB_FUZZ_EXAMPLES", "8")
SEED = os.environ.get("SYFTHUB_FUZZ_SEED", "1")
# Far more than it takes.
SECONDS = 600
PHASES = ["Examples", "Coverage", "Fuzzing", "Stateful"]


@pytest.fixture
def hub():
    # Limits of requests would leave untried what is behind them.
    hub = Hub(
        ACCESS_TOKEN_EXPIRE_MINUTES="600", NATS_AUTH_TOKEN="a shared word of the tunnel 1", WALLET_PROVIDER="mock", RATE_LIMIT_ENABLED="false"
    )  # fmt: skip
    yield hub
    hub.stop()


def furnish(hub, token: str) -> None:
    """Makes what the examples of the document speak of, so that they are about something."""
    for path, body in [
        ("/endpoints", {"name": "My notes", "slug": "my-notes", "type": "data_source", "tags": ["climate"]}),
        ("/collectives", {"name": "Open climate data", "slug": "open-climate-data", "auto_approve": True}),
        ("/collectives/1/members", {"endpoint_id": 1}),
        ("/collectives/1/shared-endpoints", {"name": "Weather", "slug": "weather", "endpoint_ids": [1]}),
        ("/users/me/aggregators", {"name": "Home", "url": "https://home.example.org"}),
    ]:
        made = hub.call("POST", f"/api/v1{path}", token, json=body)
        assert made.status_code == 201, f"{path}: {made.text}"


@pytest.mark.parametrize("caller", ["user", "admin"])
def test_every_promise_is_kept(hub, caller):
    token = hub.register("ada")["access_token"] if caller == "user" else hub.admin("ada")
    furnish(hub, token)
    fuzzer = Path(sys.executable).parent / "st"
    # One worker: several hit a fault of the interpreter's parser, and their order differs from run to run.
    command = [
        fuzzer, "--config-file", HERE / "schemathesis.toml", "run", f"{hub.url}/openapi.json",
        "-H", f"Authorization: Bearer {token}", "--max-examples", EXAMPLES, "--seed", SEED, "--workers", "1",
        "--phases", ",".join(PHASES).lower(), "--continue-on-failure",
    ]  # fmt: skip
    environment = {**os.environ, "SCHEMATHESIS_HOOKS": "hooks", "PYTHONPATH": str(HERE)}
    done = subprocess.run(command, cwd=hub.folder, capture_output=True, text=True, env=environment, timeout=SECONDS)
    summary = done.stdout.partition("= SUMMARY =")[2]
    assert done.returncode == 0, done.stdout.partition("= FAILURES =")[2][:20000] + done.stdout[-1500:] + done.stderr[-2000:]
    for phase in PHASES:
        assert f"✅ {phase}" in summary, f"{phase} was not run: {summary}"
    print(summary)
