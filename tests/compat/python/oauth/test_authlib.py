"""The package `authlib` for Python, unmodified: its HTTP client with OAuth, and its checks of ID tokens."""

import os

import httpx
import pytest
from authlib.common.security import generate_token
from authlib.integrations.base_client.errors import OAuthError
from authlib.integrations.httpx_client import OAuth2Client
from authlib.jose import JsonWebKey, jwt
from authlib.oauth2.rfc7523 import PrivateKeyJWT
from authlib.oidc.core import CodeIDToken
from conftest import document
from hub import PATIENCE
from joserfc.jwk import ECKey

NAME = "authlib"
SCOPE = "openid profile email offline_access read"
CALL = {"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {}}
STREAMS = {"Accept": "application/json, text/event-stream"}


@pytest.fixture(autouse=True, scope="module")
def plain_http():
    """The package wants to be told that a hub without TLS is meant."""
    os.environ["AUTHLIB_INSECURE_TRANSPORT"] = "1"
    yield
    del os.environ["AUTHLIB_INSECURE_TRANSPORT"]


def registered(world, callback, method: str, **more) -> dict:
    """The package does not register clients."""
    client = {"client_name": NAME, "redirect_uris": [callback.uri], "token_endpoint_auth_method": method, **more}
    answer = httpx.post(world.server["registration_endpoint"], json=client, timeout=PATIENCE)
    assert answer.status_code == 201, answer.text
    return answer.json()


def session(world, callback, client: dict, method: str) -> OAuth2Client:
    program = OAuth2Client(
        client_id=client["client_id"],
        client_secret=client.get("client_secret"),
        token_endpoint_auth_method=method,
        revocation_endpoint_auth_method=method,
        redirect_uri=callback.uri,
        scope=SCOPE,
        code_challenge_method="S256",
        token_endpoint=world.server["token_endpoint"],
        timeout=PATIENCE,
    )
    if method == "private_key_jwt":
        program.register_client_auth_method(PrivateKeyJWT(world.server["token_endpoint"], alg="ES256"))
    return program


def journey(world, callback, client: dict, method: str, resource: str, use, **visit) -> dict:
    """From sign-in to the end of the grant; gives the claims of the ID token."""
    with session(world, callback, client, method) as program:
        nonce, verifier = generate_token(20), generate_token(48)
        url, state = program.create_authorization_url(
            world.server["authorization_endpoint"], code_verifier=verifier, nonce=nonce, resource=resource
        )
        visit = world.person.visit(url, **visit)
        assert visit["client"] == NAME and visit["warned"], visit
        first = dict(program.fetch_token(
            authorization_response=callback.address(), code_verifier=verifier, state=state, resource=resource
        ))  # fmt: skip
        claims = identity(world, first["id_token"], client["client_id"], nonce)
        use(program)
        user = program.get(world.server["userinfo_endpoint"]).raise_for_status().json()
        assert (user["sub"], user["email"]) == (claims["sub"], "asker@example.com")

        # It renews by itself what is over by its own clock.
        program.token["expires_at"] = 1
        use(program)
        renewed = program.token
        assert renewed["access_token"] != first["access_token"] and renewed["refresh_token"] != first["refresh_token"]

        if method != "none":
            told = program.introspect_token(world.server["introspection_endpoint"], token=renewed["access_token"])
            assert told.json()["active"], told.text
        gone = program.revoke_token(world.server["revocation_endpoint"], token=renewed["refresh_token"])
        assert gone.status_code == 200, gone.text
        for token in (first, renewed):
            assert world.refused(token["access_token"])
        with pytest.raises(OAuthError, match="invalid_grant"):
            program.refresh_token(world.server["token_endpoint"], refresh_token=renewed["refresh_token"])
        return claims


def identity(world, token: str, client: str, nonce: str) -> dict:
    keys = JsonWebKey.import_key_set(document(world.server["jwks_uri"]))
    options = {"iss": {"essential": True, "value": world.issuer}, "aud": {"essential": True, "value": client}}
    claims = jwt.decode(token, keys, claims_cls=CodeIDToken, claims_options=options, claims_params={"nonce": nonce})
    claims.validate()
    assert claims["preferred_username"] == "asker"
    return claims


def lists_tools(world):
    def use(program: OAuth2Client) -> None:
        answer = program.post(world.mcp, json=CALL, headers=STREAMS)
        assert answer.status_code == 200, answer.text
        assert "discover_syfthub_endpoints" in {tool["name"] for tool in answer.json()["result"]["tools"]}

    return use


@pytest.mark.parametrize("method", ["none", "client_secret_basic", "client_secret_post"])
def test_a_program_that_is_registered(world, callback, method):
    journey(world, callback, registered(world, callback, method), method, world.mcp, lists_tools(world))


@pytest.mark.parametrize("method", ["none", "client_secret_basic", "client_secret_post"])
def test_a_program_that_the_operator_made(world, callback, method):
    journey(world, callback, world.made_by_the_operator(NAME, method), method, world.mcp, lists_tools(world))


def test_a_program_that_publishes_a_document(world, callback):
    document = world.documents.client(NAME, redirect_uris=[callback.uri])
    journey(world, callback, {"client_id": document}, "none", world.mcp, lists_tools(world), javascript=False)


def test_a_program_with_a_key_of_its_own(world, callback):
    key = world.key()
    more = {"jwks": {"keys": [key["public"]]}}
    client = registered(world, callback, "private_key_jwt", **more) | {"client_secret": ECKey.import_key(key["private"])}
    journey(world, callback, client, "private_key_jwt", world.mcp, lists_tools(world))


def test_a_token_for_the_api(world, callback):
    def who_am_i(program: OAuth2Client) -> None:
        answer = program.get(f"{world.api}/v1/auth/me")
        assert answer.status_code == 200 and answer.json()["username"] == "asker", answer.text

    client = registered(world, callback, "client_secret_basic")
    journey(world, callback, client, "client_secret_basic", world.api, who_am_i)
