"""Four libraries that verify tokens, each with a key set that it fetched once and keeps."""

import atexit
import json
import subprocess
import sys
from pathlib import Path

# It warns that joserfc should be used instead; that is here as well, and many services have this one still.
import authlib.jose
import authlib.jose.errors
import httpx
import joserfc.errors
import joserfc.jwk
import joserfc.jwt
import jwt



class Refused(Exception):
    """The library did not take the token."""


class Verifier:
    """A service of one owner: it has fetched the hub's keys."""

    def __init__(self, hub, audience: str) -> None:
        self.url = f"{hub.url}/.well-known/jwks.json"
        self.issuer, self.audience = hub.issuer, audience
        self.keys = self.read(httpx.get(self.url).raise_for_status().json())

    def read(self, keys: dict):
        return keys

    def verify(self, token: str) -> dict:
        """The claims of a good token."""
        try:
            return self.claims(token)
        except self.refusals as error:
            raise Refused(f"{type(self).__name__}: {type(error).__name__}: {error}") from error


class PyJWT(Verifier):
    refusals = (jwt.PyJWTError,)

    def read(self, keys: dict):
        return jwt.PyJWKSet.from_dict(keys)

    def claims(self, token: str) -> dict:
        name = jwt.get_unverified_header(token).get("kid")
        key = next((key for key in self.keys.keys if key.key_id == name), None)
        if key is None:
            raise jwt.InvalidKeyError(f"no key {name}")
        return jwt.decode(token, key, algorithms=["RS256"], audience=self.audience, issuer=self.issuer)


class Authlib(Verifier):
    # What it says of a key that it does not know is a ValueError.
    refusals = (authlib.jose.errors.JoseError, ValueError)

    def read(self, keys: dict):
        return authlib.jose.JsonWebKey.import_key_set(keys)

    def claims(self, token: str) -> dict:
        expected = {"iss": {"essential": True, "value": self.issuer}, "aud": {"essential": True, "value": self.audience}}
        claims = authlib.jose.JsonWebToken(["RS256"]).decode(token, self.keys, claims_options=expected)
        claims.validate()
        return dict(claims)


class Joserfc(Verifier):
    refusals = (joserfc.errors.JoseError, ValueError)

    def read(self, keys: dict):
        return joserfc.jwk.KeySet.import_key_set(keys)

    def claims(self, token: str) -> dict:
        claims = joserfc.jwt.decode(token, self.keys, algorithms=["RS256"]).claims
        joserfc.jwt.JWTClaimsRegistry(
            exp={"essential": True}, iss={"essential": True, "value": self.issuer}, aud={"essential": True, "value": self.audience}
        ).validate(claims)
        return claims


class Node:
    """One process for all questions to `jose`."""

    def __init__(self) -> None:
        script, folder = Path(__file__).with_name("verify.mjs"), Path(sys.executable).parents[2]
        self.process = subprocess.Popen(["node", script, folder], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        atexit.register(self.stop)

    def ask(self, question: dict) -> dict:
        self.process.stdin.write(json.dumps(question) + "\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def stop(self) -> None:
        self.process.stdin.close()
        self.process.wait(20)


class JoseRefused(Exception):
    """What `jose` calls the reason."""


class Jose(Verifier):
    refusals = (JoseRefused,)
    node = None

    def claims(self, token: str) -> dict:
        return self.ask(token, set=self.keys)

    def ask(self, token: str, **keys) -> dict:
        Jose.node = Jose.node or Node()
        told = Jose.node.ask({"token": token, "issuer": self.issuer, "audience": self.audience, **keys})
        # Other errors are not about the token.
        assert "claims" in told or told["error"].startswith(("ERR_JW", "ERR_JOSE")), told
        if "error" in told:
            raise JoseRefused(told["error"])
        return told["claims"]


class PyJWTFetching(PyJWT):
    """Fetches the set again by itself when a token names a key that it does not know."""

    def read(self, _: dict):
        # By default it waits half a minute before it fetches again, which is for servers and not for a test.
        return jwt.PyJWKClient(self.url, cooldown_duration=0)

    def claims(self, token: str) -> dict:
        key = self.keys.get_signing_key_from_jwt(token)
        return jwt.decode(token, key, algorithms=["RS256"], audience=self.audience, issuer=self.issuer)


class JoseFetching(Jose):
    """So does this one."""

    def claims(self, token: str) -> dict:
        return self.ask(token, url=self.url)


KEEPING = [PyJWT, Authlib, Joserfc, Jose]
FETCHING = [PyJWTFetching, JoseFetching]
