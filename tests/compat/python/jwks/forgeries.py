"""Tokens that nobody may take, each made from a good one."""

import base64
import hashlib
import hmac
import json

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa


def text(data: bytes | dict) -> str:
    data = json.dumps(data).encode() if isinstance(data, dict) else data
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def head(token: str) -> dict:
    return jwt.get_unverified_header(token)


def body(token: str) -> dict:
    return jwt.decode(token, options={"verify_signature": False})


OWN_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)


def resigned(token: str, **header) -> str:
    return jwt.encode(body(token), OWN_KEY, algorithm="RS256", headers=header)


def unsigned(token: str, _: dict) -> str:
    return f"{text({**head(token), 'alg': 'none'})}.{text(body(token))}."


def unsigned_in_other_letters(token: str, _: dict) -> str:
    return f"{text({**head(token), 'alg': 'nOnE'})}.{text(body(token))}."


def without_its_signature(token: str, _: dict) -> str:
    return token.rsplit(".", 1)[0] + "."


def signed_with_the_public_key(token: str, keys: dict) -> str:
    """The public key, which everybody has, used as a shared secret."""
    public = next(jwt.PyJWK(key).key for key in keys["keys"] if key["kid"] == head(token)["kid"])
    secret = public.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    start = f"{text({**head(token), 'alg': 'HS256'})}.{text(body(token))}"
    return f"{start}.{text(hmac.new(secret, start.encode(), hashlib.sha256).digest())}"


def of_an_unknown_key(token: str, _: dict) -> str:
    return resigned(token, kid="nobody-knows-it")


def of_another_key_under_a_known_name(token: str, _: dict) -> str:
    return resigned(token, kid=head(token)["kid"])


def that_brings_its_own_key(token: str, _: dict) -> str:
    own = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(OWN_KEY.public_key()))
    return resigned(token, kid=head(token)["kid"], jwk={**own, "kid": head(token)["kid"]})


def with_other_claims(token: str, _: dict) -> str:
    start, _, signature = token.split(".")
    return f"{start}.{text({**body(token), 'role': 'admin', 'sub': '1'})}.{signature}"


ALL = [
    unsigned, unsigned_in_other_letters, without_its_signature, signed_with_the_public_key, of_an_unknown_key,
    of_another_key_under_a_known_name, that_brings_its_own_key, with_other_claims,
]  # fmt: skip
