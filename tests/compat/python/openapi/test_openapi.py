"""What openapi.json promises, tried by a fuzzer as a user and as an administrator."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from hub import Hub

HERE = Path(__file__).resolve().parent
# The whole run of one caller; what is found in it depends little on more.
SECONDS = "110"


@pytest.fixture(scope="module")
def hub():
    hub = Hub(ACCESS_TOKEN_EXPIRE_MINUTES="600", NATS_AUTH_TOKEN="a shared word of the tunnel 1", WALLET_PROVIDER="mock")
    yield hub
    hub.stop()


@pytest.mark.parametrize("caller", ["user", "admin"])
def test_every_promise_is_kept(hub, caller):
    token = hub.register("curious")["access_token"] if caller == "user" else hub.admin()
    fuzzer = Path(sys.executable).parent / "st"
    command = [
        fuzzer, "--config-file", HERE / "schemathesis.toml", "run", f"{hub.url}/openapi.json",
        "-H", f"Authorization: Bearer {token}", "--max-time", SECONDS, "--max-examples", "20", "--seed", "1",
    ]  # fmt: skip
    environment = {**os.environ, "SCHEMATHESIS_HOOKS": "hooks", "PYTHONPATH": str(HERE)}
    # One worker: several hit a fault of the interpreter's parser.
    done = subprocess.run([*command, "--workers", "1"], cwd=hub.folder, capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stdout[-12000:] + done.stderr[-2000:]
