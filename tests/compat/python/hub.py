"""A hub for one test run: its own process, folder, port and database."""

import os
import random
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path

import httpx

PASSWORD = "correct horse 1"
START = 90.0
# For one answer, also where other tests use the machine too.
PATIENCE = 60.0
# Tests do in a minute what an address may do in an hour.
UNLIMITED = "1000000"


class Hub:
    """`syfthub serve` with settings for tests."""

    def __init__(self, **settings: str) -> None:
        self.binary = str(Path(os.environ["SYFTHUB_BIN"]).resolve())
        self.folder = Path(tempfile.mkdtemp(prefix="syfthub-compat-"))
        # How a command of the binary finds this hub's data.
        self.data = ["--data-dir", str(self.folder / "data")]
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.environment = {
            **{name: value for name, value in os.environ.items() if name in ("PATH", "HOME", "TMPDIR", "LANG")},
            "METRICS_LISTEN": "off",
            "AUTH_RATE_LIMIT_MAX": UNLIMITED,
            "REFRESH_RATE_LIMIT_MAX": UNLIMITED,
            "GUEST_TOKEN_RATE_LIMIT_MAX": UNLIMITED,
            "GUEST_PEER_TOKEN_RATE_LIMIT_MAX": UNLIMITED,
            "CHAT_RATE_LIMIT_MAX": UNLIMITED,
            "OTP_RATE_LIMIT_MAX_REQUESTS": "10000",
            "OTP_IP_RATE_LIMIT_MAX_REQUESTS": "10000",
            "EGRESS_ALLOW": "loopback",
            **settings,
        }
        self.children: list[subprocess.Popen] = []
        self.start("hub", "serve", "--listen", f"127.0.0.1:{self.port}", "--no-demo")
        try:
            self.wait(lambda: httpx.get(f"{self.url}/health").status_code == 200, "the hub is healthy")
        except BaseException:
            self.stop()
            raise

    def start(self, name: str, *arguments: str) -> None:
        """Starts a command of the binary that stays until the end."""
        log = open(self.folder / f"{name}.log", "ab")
        command = [self.binary, *arguments]
        if arguments[0] == "serve":
            command += self.data
        self.children.append(
            subprocess.Popen(command, cwd=self.folder, env=self.environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        )

    def command(self, *arguments: str, text: str = "") -> str:
        """Runs a command of the binary on this hub's data."""
        command = [self.binary, arguments[0], *self.data, *arguments[1:]]
        done = subprocess.run(command, cwd=self.folder, env=self.environment, input=text, capture_output=True, text=True)
        assert done.returncode == 0, f"{arguments}: {done.stdout}{done.stderr}"
        return done.stdout

    def wait(self, holds, what: str) -> None:
        """Waits for something outside this process."""
        end = time.monotonic() + START
        while True:
            try:
                if holds():
                    return
            except httpx.HTTPError:
                pass
            ended = [child.args for child in self.children if child.poll() is not None]
            if ended or time.monotonic() > end:
                raise AssertionError(f"{what}: not within {START:.0f} s; ended: {ended}\n{self.last_words()}")
            time.sleep(0.05)

    def last_words(self) -> str:
        logs = sorted(self.folder.glob("*.log"))
        return "\n".join(f"--- {log.name}\n" + log.read_text(errors="replace")[-3000:] for log in logs)

    def stop(self) -> None:
        """Ends what was started, last first, and removes the folder."""
        for child in reversed(self.children):
            if child.poll() is None:
                child.send_signal(signal.SIGTERM)
            try:
                child.wait(40)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()
        shutil.rmtree(self.folder, ignore_errors=True)

    def register(self, name: str) -> dict:
        """A new user with tokens, over plain HTTP."""
        body = {"username": name, "email": f"{name}@example.com", "full_name": name.title(), "password": PASSWORD}
        answer = httpx.post(f"{self.url}/api/v1/auth/register", json=body, timeout=PATIENCE)
        assert answer.status_code == 201, answer.text
        return answer.json()

    def admin(self, name: str = "root-1") -> str:
        """An access token of a new administrator."""
        self.command("admin", "create", name, "--email", f"{name}@example.com", "--password-stdin", text=PASSWORD + "\n")
        answer = httpx.post(f"{self.url}/api/v1/auth/login", data={"username": name, "password": PASSWORD}, timeout=PATIENCE)
        assert answer.status_code == 200, answer.text
        return answer.json()["access_token"]

    def call(self, method: str, path: str, token: str | None = None, **more) -> httpx.Response:
        """One request as the holder of a token."""
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        return httpx.request(method, self.url + path, headers=headers, **{"timeout": PATIENCE, **more})

    def publish_node(self, token: str, documents: dict[str, str], slug: str) -> None:
        """Starts a node with a data source and the built-in model, and waits until the hub lists both."""
        made = self.call("POST", "/api/v1/auth/tokens", token, json={"name": "node"})
        assert made.status_code == 201, made.text
        folder = self.folder / "documents"
        folder.mkdir()
        for name, content in documents.items():
            (folder / name).write_text(content)
        secret = self.folder / "node-token"
        secret.write_text(made.json()["token"])
        self.start(
            "node", "node", "--hub", self.url, "--token-file", str(secret), "--docs", str(folder), "--slug", slug,
            "--name", "Field notes", "--model", "extract", "--listen", "127.0.0.1:0", "--state-dir", str(self.folder / "index"),
        )  # fmt: skip
        listed = f"{self.url}/api/v1/endpoints/public?limit=100"
        self.wait(lambda: f'"{slug}-model"' in httpx.get(listed).text, "the node has published")


def free_port() -> int:
    """A port of the loopback address below the range that outgoing connections use."""
    for _ in range(100):
        port = random.randint(20_000, 31_999)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise RuntimeError("no free port between 20000 and 32000")
