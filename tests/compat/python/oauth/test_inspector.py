"""MCP Inspector's command line, unmodified: one process per request, with what it keeps in a folder."""

import json
import os
import pty
import re
import subprocess
import threading
from pathlib import Path

import httpx
import pytest
from hub import PATIENCE, free_port

NAME = "MCP Inspector"
READS = {"discover_syfthub_endpoints", "chat_with_syfthub", "get_endpoint", "search_documents", "endpoint_health"}
NOTES = "syfthub://keeper/field-notes"
# Its exit code when somebody has to sign in.
AUTH_REQUIRED = 3


class Inspector:
    """One person's Inspector."""

    def __init__(self, world, folder: Path, *options: str, **visit) -> None:
        self.world, self.folder, self.visit, self.visits = world, folder, visit, []
        self.port = free_port()
        self.options = [*options, "--callback-url", f"http://127.0.0.1:{self.port}/oauth/callback"]
        program = world.scripts.parent / "node_modules" / "@modelcontextprotocol" / "inspector" / "clients" / "launcher" / "build"
        self.command = [world.node, str(program / "index.js"), "--cli", world.mcp, "--format", "json"]
        # Nothing of it is anywhere but in this folder, and no browser of its own opens.
        self.environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(folder),
            "MCP_STORAGE_DIR": str(folder),
            "MCP_INSPECTOR_SECRET_STORE": "file",
            "MCP_AUTO_OPEN_ENABLED": "false",
            "NO_COLOR": "1",
        }

    def run(self, *arguments: str) -> tuple[int, str, str]:
        """One call; the person signs in when it says where."""
        # It speaks of signing in only where somebody sits at a terminal.
        ours, terminal = pty.openpty()
        process = subprocess.Popen(
            [*self.command, *arguments], env=self.environment, cwd=self.folder, stdin=terminal,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        os.close(terminal)
        out, err = [], []
        reader = threading.Thread(target=lambda: out.append(process.stdout.read()), daemon=True)
        late = threading.Timer(PATIENCE, process.kill)
        reader.start()
        late.start()
        try:
            for line in process.stderr:
                err.append(line)
                if found := re.search(r"Please navigate to: (\S+)", line):
                    self.visits.append(self.world.person.visit(found[1], **self.visit))
            code = process.wait()
            reader.join()
        finally:
            late.cancel()
            process.kill()
            process.wait()
            os.close(ours)
        return code, "".join(out), "".join(err)

    def ask(self, method: str, *arguments: str) -> dict:
        code, out, err = self.run("--method", method, *self.options, *arguments)
        assert code == 0, f"{method}: exit code {code}\n{out}\n{err}"
        return json.loads(out)

    def tokens(self) -> dict:
        """The tokens that it keeps."""
        secrets = json.loads((self.folder / "secrets.json").read_text())["secrets"]
        [tokens] = [json.loads(text) for name, text in secrets.items() if ":tokens:" in name]
        return tokens

    def spoil(self) -> None:
        """Makes the access token that it keeps a bad one, as time does."""
        file = self.folder / "secrets.json"
        kept = json.loads(file.read_text())
        for name, text in kept["secrets"].items():
            if ":tokens:" in name:
                tokens = json.loads(text)
                kept["secrets"][name] = json.dumps(tokens | {"access_token": tokens["access_token"] + "x"})
        file.write_text(json.dumps(kept))


def refresh_and_be_sent_away(inspector: Inspector, made: dict | None = None) -> None:
    first = inspector.tokens()
    inspector.spoil()
    inspector.ask("tools/list", "--stored-auth-only")
    renewed = inspector.tokens()
    assert renewed["access_token"] != first["access_token"] and renewed["refresh_token"] != first["refresh_token"]
    assert len(inspector.visits) == 1, "a refresh needs nobody"

    # What its command line got it does not revoke itself, also with `--relogin`: it keeps no address for that.
    client = made or {"client_id": re.search(r'"client_id": *"([^"]+)"', (inspector.folder / "oauth.json").read_text())[1]}
    form = {"token": renewed["refresh_token"], **client}
    httpx.post(inspector.world.server["revocation_endpoint"], data=form, timeout=PATIENCE).raise_for_status()
    for tokens in (first, renewed):
        assert inspector.world.refused(tokens["access_token"])
    code, out, err = inspector.run("--method", "tools/list", *inspector.options, "--stored-auth-only")
    assert code == AUTH_REQUIRED, (code, out, err)


@pytest.mark.parametrize("era", ["legacy", "modern"])
def test_a_program_that_registers_itself(world, tmp_path, era):
    inspector = Inspector(world, tmp_path, "--protocol-era", era)
    tools = {tool["name"] for tool in inspector.ask("tools/list")["result"]["tools"]}
    # It asks for everything that the hub offers.
    assert READS | {"publish_endpoint", "update_endpoint"} == tools
    [visit] = inspector.visits
    assert visit["client"] == NAME and visit["warned"], visit
    if era == "legacy":
        everything_else(inspector)
    refresh_and_be_sent_away(inspector)


def everything_else(inspector: Inspector) -> None:
    question = json.dumps({"query": "What do herons eat?", "data_sources": ["keeper/field-notes"]})
    found = inspector.ask("tools/call", "--tool-name", "search_documents", "--tool-args-json", question)
    assert "frogs" in json.dumps(found), found
    resources = inspector.ask("resources/list")["result"]["resources"]
    assert NOTES in {resource["uri"] for resource in resources}
    assert "Field notes" in json.dumps(inspector.ask("resources/read", "--uri", NOTES))
    prompts = inspector.ask("prompts/list")["result"]["prompts"]
    assert "ask" in {prompt["name"] for prompt in prompts}
    prompt = inspector.ask("prompts/get", "--prompt-name", "ask", "--prompt-args", "query=What do herons eat?")
    assert "herons" in json.dumps(prompt), prompt


def test_a_program_that_publishes_a_document(world, tmp_path):
    document = world.documents.client(NAME, redirect_uris=["http://127.0.0.1/oauth/callback"])
    inspector = Inspector(world, tmp_path, "--client-metadata-url", document)
    found = inspector.ask("tools/call", "--tool-name", "discover_syfthub_endpoints")
    assert "keeper/field-notes" in json.dumps(found), found
    assert "localhost" in inspector.visits[0]["text"], "who vouches for the name"
    assert document in (tmp_path / "oauth.json").read_text()
    refresh_and_be_sent_away(inspector)


@pytest.mark.parametrize("method", ["none", "client_secret_basic"])
def test_a_program_that_the_operator_made(world, tmp_path, method):
    made = world.made_by_the_operator(NAME, method, redirect="http://127.0.0.1/oauth/callback")
    secret = ["--client-secret", made["client_secret"]] if method != "none" else []
    inspector = Inspector(world, tmp_path, "--client-id", made["client_id"], *secret)
    assert "keeper/field-notes" in json.dumps(inspector.ask("tools/call", "--tool-name", "discover_syfthub_endpoints"))
    refresh_and_be_sent_away(inspector, made)


def test_nobody_at_a_terminal_is_told_to_sign_in(world, tmp_path):
    inspector = Inspector(world, tmp_path)
    code, _, err = inspector.run("--method", "tools/list", "--stored-auth-only")
    assert code == AUTH_REQUIRED and "auth_required" in err, (code, err)
