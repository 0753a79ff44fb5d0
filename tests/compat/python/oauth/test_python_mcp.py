"""The package `mcp` for Python with its own OAuth, unmodified."""

from contextlib import asynccontextmanager

import httpx
import httpx2
import pytest
from anyio import to_thread
from authlib.jose import JsonWebKey
from hub import PATIENCE
from mcp import Client
from mcp.client.auth import OAuthClientProvider
from mcp.client.auth.extensions.client_credentials import (
    ClientCredentialsOAuthProvider,
    PrivateKeyJWTOAuthProvider,
    SignedJWTParameters,
)
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.auth import AuthorizationCodeResult, OAuthClientInformationFull, OAuthClientMetadata, OAuthToken

pytestmark = pytest.mark.anyio

NAME = "mcp for Python"
READS = {"discover_syfthub_endpoints", "chat_with_syfthub", "get_endpoint", "search_documents", "endpoint_health"}
QUESTION = {"prompt": "What do grey herons eat?", "data_sources": ["keeper/field-notes"], "model": "keeper/field-notes-model"}
NOTES = "syfthub://keeper/field-notes"


class AskedAgain(Exception):
    """The program wants to send its person to sign in, who does not want to."""


class Storage:
    """What the package remembers of one server."""

    def __init__(self, client: OAuthClientInformationFull | None) -> None:
        self.client, self.tokens = client, None

    async def get_tokens(self) -> OAuthToken | None:
        return self.tokens

    async def set_tokens(self, tokens: OAuthToken) -> None:
        self.tokens = tokens

    async def get_client_info(self) -> OAuthClientInformationFull | None:
        return self.client

    async def set_client_info(self, client: OAuthClientInformationFull) -> None:
        self.client = client


class Program:
    """A program that uses the package as its manual says, and its person."""

    def __init__(self, world, callback, method="none", document=None, static=None, **visit) -> None:
        self.world, self.callback, self.visit, self.visits, self.willing = world, callback, visit, [], True
        given = None
        if static:
            given = OAuthClientInformationFull(redirect_uris=[callback.uri], issuer=world.issuer, **static)
        self.storage = Storage(given)
        self.provider = OAuthClientProvider(
            server_url=world.mcp,
            client_metadata=OAuthClientMetadata(client_name=NAME, redirect_uris=[callback.uri], token_endpoint_auth_method=method),
            storage=self.storage,
            redirect_handler=self.redirect,
            callback_handler=self.come_back,
            client_metadata_url=document,
        )

    async def redirect(self, url: str) -> None:
        if not self.willing:
            raise AskedAgain
        self.visits.append(await to_thread.run_sync(lambda: self.world.person.visit(url, **self.visit)))

    async def come_back(self) -> AuthorizationCodeResult:
        answer = self.callback.answer()
        return AuthorizationCodeResult(code=answer["code"], state=answer["state"], iss=answer["iss"])

    @asynccontextmanager
    async def connect(self, mode="auto"):
        http = httpx2.AsyncClient(auth=self.provider, timeout=PATIENCE)
        try:
            async with Client(streamable_http_client(self.world.mcp, http_client=http), mode=mode) as client:
                yield client
        except BaseExceptionGroup as group:
            raise alone(group) from None

    def revoke(self, token: str) -> None:
        """The package has no call for it."""
        client, form = self.storage.client, {"token": token, "client_id": self.storage.client.client_id}
        if client.token_endpoint_auth_method == "client_secret_post":
            form["client_secret"] = client.client_secret
        basic = client.token_endpoint_auth_method == "client_secret_basic"
        proof = (client.client_id, client.client_secret) if basic else None
        httpx.post(self.world.server["revocation_endpoint"], data=form, auth=proof, timeout=PATIENCE).raise_for_status()


def alone(error: BaseException) -> BaseException:
    """What went wrong, without the groups around it."""
    while isinstance(error, BaseExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    return error


async def look_around(client: Client) -> None:
    """Lists and uses everything that a token with the scope `read` opens."""
    tools = (await client.list_tools()).tools
    assert {tool.name for tool in tools} == READS
    found = await client.call_tool("discover_syfthub_endpoints", {})
    assert not found.is_error and "keeper/field-notes" in found.content[0].text, found
    documents = await client.call_tool("search_documents", {"query": "What do herons eat?", "data_sources": ["keeper/field-notes"]})
    assert not documents.is_error and "frogs" in documents.content[0].text, documents
    wrong = await client.call_tool("get_endpoint", {"path": "nobody/nothing"})
    assert wrong.is_error, wrong
    resources = (await client.list_resources()).resources
    assert NOTES in {str(resource.uri) for resource in resources}, resources
    read = await client.read_resource(NOTES)
    assert any("Field notes" in getattr(content, "text", "") for content in read.contents), read
    assert "ask" in {prompt.name for prompt in (await client.list_prompts()).prompts}
    prompt = await client.get_prompt("ask", {"query": "What do herons eat?"})
    assert "herons" in prompt.messages[-1].content.text, prompt


async def refresh_and_be_sent_away(program: Program) -> None:
    first, asked = program.storage.tokens, len(program.visits)
    assert first.refresh_token and first.expires_in == 3600, first
    program.provider.context.token_expiry_time = 1
    async with program.connect() as client:
        await client.list_tools()
    next_ = program.storage.tokens
    assert next_.access_token != first.access_token and next_.refresh_token != first.refresh_token
    assert len(program.visits) == asked, "a refresh needs nobody"

    program.revoke(next_.refresh_token)
    assert program.world.refused(next_.access_token) and program.world.refused(first.access_token)
    program.willing = False
    with pytest.raises(AskedAgain):
        async with program.connect() as client:
            await client.list_tools()


@pytest.mark.parametrize("method", ["none", "client_secret_basic", "client_secret_post"])
async def test_a_program_that_registers_itself(world, callback, method):
    program = Program(world, callback, method, stumble=method == "none")
    async with program.connect() as client:
        assert client.protocol_version == "2026-07-28"
        await look_around(client)
    assert (program.storage.client.client_secret is None) == (method == "none")
    [visit] = program.visits
    assert visit["client"] == NAME and visit["warned"] and "127.0.0.1" in visit["text"], visit
    await refresh_and_be_sent_away(program)


async def test_a_program_that_publishes_a_document(world, callback):
    document = world.documents.client(NAME, redirect_uris=[callback.uri])
    program = Program(world, callback, document=document)
    async with program.connect() as client:
        await look_around(client)
    assert program.storage.client.client_id == document
    assert "localhost" in program.visits[0]["text"], "who vouches for the name"
    await refresh_and_be_sent_away(program)


@pytest.mark.parametrize("method", ["none", "client_secret_basic", "client_secret_post"])
async def test_a_program_that_the_operator_made(world, callback, method):
    static = world.made_by_the_operator(NAME, method)
    program = Program(world, callback, static=static)
    async with program.connect() as client:
        await look_around(client)
    assert program.storage.client.client_id == static["client_id"]
    await refresh_and_be_sent_away(program)


@pytest.mark.parametrize("mode", ["legacy", "2026-07-28"])
async def test_both_eras_of_the_protocol(world, callback, mode):
    program = Program(world, callback)
    async with program.connect(mode) as client:
        await look_around(client)
        answer = await client.call_tool("chat_with_syfthub", QUESTION)
    assert not answer.is_error and "fish" in answer.content[0].text, answer


@pytest.mark.parametrize("method", ["client_secret_basic", "client_secret_post"])
async def test_a_service_with_a_secret(world, method):
    made = world.service(NAME)
    given = {"client_id": made["client_id"], "client_secret": made["client_secret"], "token_endpoint_auth_method": method}
    await serve(world, ClientCredentialsOAuthProvider(world.mcp, Storage(None), issuer=world.issuer, **given))


async def test_a_service_with_a_key(world, tmp_path):
    made, key = world.service_with_key(NAME, tmp_path)
    pem = JsonWebKey.import_key(key["private"]).as_pem(is_private=True).decode()
    about = {"issuer": made["client_id"], "subject": made["client_id"], "signing_algorithm": "ES256"}
    sign = SignedJWTParameters(signing_key=pem, **about).create_assertion_provider()
    provider = PrivateKeyJWTOAuthProvider(world.mcp, Storage(None), made["client_id"], sign, issuer=world.issuer)
    await serve(world, provider)


async def serve(world, provider) -> None:
    """What a program does that has no person."""
    http = httpx2.AsyncClient(auth=provider, timeout=PATIENCE)
    async with Client(streamable_http_client(world.mcp, http_client=http)) as client:
        await look_around(client)
    assert provider.context.storage.tokens.refresh_token is None


async def test_a_browser_without_scripts(world, callback):
    program = Program(world, callback, javascript=False, scheme="dark", stumble=True)
    async with program.connect() as client:
        await client.list_tools()


async def test_more_is_asked_for_when_it_is_needed(world, callback):
    program = Program(world, callback)
    async with program.connect() as client:
        assert "write" not in program.storage.tokens.scope.split()
        made = await client.call_tool("publish_endpoint", {"name": "Kept by a program", "type": "data_source"})
        assert not made.is_error, made
        assert "publish_endpoint" in {tool.name for tool in (await client.list_tools()).tools}
    assert len(program.visits) == 2 and {"read", "write"} <= set(program.storage.tokens.scope.split())
    assert len(program.visits[1]["scopes"]) > len(program.visits[0]["scopes"])


async def test_a_person_who_does_not_agree(world, callback):
    program = Program(world, callback, decision="cancel")
    with pytest.raises(BaseException):
        async with program.connect():
            pass
    assert program.visits[0]["final"].startswith(callback.uri) and "error=access_denied" in program.visits[0]["final"]
    assert program.storage.tokens is None
