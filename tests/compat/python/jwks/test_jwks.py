"""Satellite tokens under the eyes of three independent libraries: good ones pass, forged ones do not."""

import base64
import json
import subprocess
import sys
import time
from pathlib import Path

import httpx
import jwt
import pytest
from authlib.jose import JsonWebKey, JsonWebToken
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from hub import Hub
from joserfc import jwk as joserfc_jwk
from joserfc import jwt as joserfc_jwt

HERE = Path(__file__).resolve().parent
OWNER = "keeper"


@pytest.fixture(scope="module")
def hub():
    hub = Hub()
    hub.keeper = hub.register(OWNER)
    hub.issuer = httpx.get(f"{hub.url}/api/v1/auth/config").json()["issuer"]
    yield hub
    hub.stop()


def key_set(hub) -> dict:
    return httpx.get(f"{hub.url}/.well-known/jwks.json").raise_for_status().json()


def mint(hub) -> str:
    answer = hub.call("GET", f"/api/v1/token?aud={OWNER}", hub.keeper["access_token"])
    assert answer.status_code == 200, answer.text
    return answer.json()["target_token"]


# Each takes a token and an audience; returns the claims, raises what the library raises.


def with_pyjwt(hub, token: str, audience: str) -> dict:
    key = jwt.PyJWKClient(f"{hub.url}/.well-known/jwks.json", cache_keys=False).get_signing_key_from_jwt(token)
    return jwt.decode(token, key, algorithms=["RS256"], audience=audience, issuer=hub.issuer)


def with_authlib(hub, token: str, audience: str) -> dict:
    expected = {"iss": {"essential": True, "value": hub.issuer}, "aud": {"essential": True, "value": audience}}
    claims = JsonWebToken(["RS256"]).decode(token, JsonWebKey.import_key_set(key_set(hub)), claims_options=expected)
    claims.validate()
    return dict(claims)


def with_joserfc(hub, token: str, audience: str) -> dict:
    keys = joserfc_jwk.KeySet.import_key_set(key_set(hub))
    claims = joserfc_jwt.decode(token, keys, algorithms=["RS256"]).claims
    rules = joserfc_jwt.JWTClaimsRegistry(
        exp={"essential": True}, iss={"essential": True, "value": hub.issuer}, aud={"essential": True, "value": audience}
    )
    rules.validate(claims)
    return claims


def with_jose(hub, token: str, audience: str) -> dict:
    folder = str(Path(sys.executable).parents[2])
    command = ["node", str(HERE / "verify.mjs"), folder, f"{hub.url}/.well-known/jwks.json", hub.issuer, audience]
    told = json.loads(subprocess.run(command, input=token, capture_output=True, text=True, check=True).stdout)
    if "error" in told:
        raise ValueError(told["error"])
    return told["claims"]


LIBRARIES = [with_pyjwt, with_authlib, with_joserfc, with_jose]
library = pytest.mark.parametrize("verify", LIBRARIES, ids=lambda verify: verify.__name__)


def text(data: dict) -> str:
    return base64.urlsafe_b64encode(json.dumps(data).encode()).rstrip(b"=").decode()


def head(token: str) -> dict:
    return jwt.get_unverified_header(token)


def body(token: str) -> dict:
    return jwt.decode(token, options={"verify_signature": False})


def own_key():
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def unsigned(hub) -> str:
    token = mint(hub)
    return f"{text({**head(token), 'alg': 'none'})}.{text(body(token))}."


def signed_with_the_public_key(hub) -> str:
    """The public key, which everybody has, used as a shared secret."""
    import hashlib
    import hmac

    token = mint(hub)
    public = jwt.PyJWK(key_set(hub)["keys"][0]).key
    secret = public.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    start = f"{text({**head(token), 'alg': 'HS256'})}.{text(body(token))}"
    mac = hmac.new(secret, start.encode(), hashlib.sha256).digest()
    return f"{start}.{base64.urlsafe_b64encode(mac).rstrip(b'=').decode()}"


def of_an_unknown_key(hub) -> str:
    token = mint(hub)
    return jwt.encode(body(token), own_key(), algorithm="RS256", headers={"kid": "nobody-knows-it"})


def of_another_key_under_a_known_name(hub) -> str:
    token = mint(hub)
    return jwt.encode(body(token), own_key(), algorithm="RS256", headers={"kid": head(token)["kid"]})


def with_other_claims(hub) -> str:
    start, _, signature = mint(hub).split(".")
    token = mint(hub)
    return f"{start}.{text({**body(token), 'role': 'admin', 'sub': '1'})}.{signature}"


FORGERIES = [
    unsigned, signed_with_the_public_key, of_an_unknown_key, of_another_key_under_a_known_name, with_other_claims,
]  # fmt: skip


@library
def test_a_good_token_is_taken(hub, verify):
    claims = verify(hub, mint(hub), OWNER)
    assert (claims["aud"], claims["sub"], claims["role"]) == (OWNER, str(hub.keeper["user"]["id"]), "user")
    assert claims["exp"] - claims["iat"] == 60


@library
@pytest.mark.parametrize("forge", FORGERIES, ids=lambda forge: forge.__name__)
def test_a_forged_token_is_refused(hub, verify, forge):
    token = forge(hub)
    with pytest.raises(Exception):
        verify(hub, token, OWNER)
    told = hub.call("POST", "/api/v1/verify", hub.keeper["access_token"], json={"token": token})
    assert told.status_code == 200 and told.json()["valid"] is False, told.text


@library
def test_a_token_for_somebody_else_is_refused(hub, verify):
    with pytest.raises(Exception):
        verify(hub, mint(hub), "somebody-else")


def test_an_expired_token_is_refused():
    hub = Hub(SATELLITE_TOKEN_EXPIRE_SECONDS="10")
    try:
        hub.keeper = hub.register(OWNER)
        hub.issuer = httpx.get(f"{hub.url}/api/v1/auth/config").json()["issuer"]
        token = mint(hub)
        # PyJWT alone says when it is over; the others are asked then.
        hub.wait(lambda: body(token)["exp"] + 1 < time.time(), "the token has expired")
        for verify in LIBRARIES:
            with pytest.raises(Exception):
                verify(hub, token, OWNER)
        told = hub.call("POST", "/api/v1/verify", hub.keeper["access_token"], json={"token": token}).json()
        assert (told["valid"], told["error"]) == (False, "token_expired")
    finally:
        hub.stop()


def test_tokens_live_through_a_rotation(hub):
    """The old key stays among the public ones until its tokens are over; new tokens are signed by the new one."""
    before = mint(hub)
    old = head(before)["kid"]
    hub.command("keys", "rotate", "--now")
    hub.wait(lambda: head(mint(hub))["kid"] != old, "tokens are signed by the new key")
    after = mint(hub)
    assert {old, head(after)["kid"]} <= {key["kid"] for key in key_set(hub)["keys"]}
    for verify in LIBRARIES:
        assert verify(hub, before, OWNER)["aud"] == OWNER
        assert verify(hub, after, OWNER)["aud"] == OWNER
