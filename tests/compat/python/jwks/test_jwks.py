"""Satellite tokens under the eyes of other people's libraries: good ones pass, forged ones do not."""

import time

import forgeries
import httpx
import pytest
from forgeries import body, head
from hub import Hub
from verifiers import FETCHING, KEEPING, Refused

OWNER = "keeper"


def start(**settings: str) -> Hub:
    hub = Hub(**settings)
    hub.keeper = hub.register(OWNER)
    hub.issuer = httpx.get(f"{hub.url}/api/v1/auth/config").json()["issuer"]
    return hub


@pytest.fixture(scope="module")
def hub():
    hub = start()
    yield hub
    hub.stop()


@pytest.fixture
def hub_of_its_own():
    """With the shortest tokens that there are: ten seconds."""
    hub = start(SATELLITE_TOKEN_EXPIRE_SECONDS="10")
    yield hub
    hub.stop()


def key_set(hub) -> dict:
    return httpx.get(f"{hub.url}/.well-known/jwks.json").raise_for_status().json()


def names(hub) -> list[str]:
    return [key["kid"] for key in key_set(hub)["keys"]]


def mint(hub) -> str:
    answer = hub.call("GET", f"/api/v1/token?aud={OWNER}", hub.keeper["access_token"])
    assert answer.status_code == 200, answer.text
    return answer.json()["target_token"]


def told(hub, token: str) -> dict:
    """What the hub itself says about a token."""
    answer = hub.call("POST", "/api/v1/verify", hub.keeper["access_token"], json={"token": token})
    assert answer.status_code == 200, answer.text
    return answer.json()


library = pytest.mark.parametrize("library", KEEPING + FETCHING, ids=lambda library: library.__name__)


@library
def test_a_good_token_is_taken(hub, library):
    claims = library(hub, OWNER).verify(mint(hub))
    assert (claims["aud"], claims["sub"], claims["role"]) == (OWNER, str(hub.keeper["user"]["id"]), "user")
    assert claims["exp"] - claims["iat"] == 60


@library
def test_a_token_for_somebody_else_is_refused(hub, library):
    with pytest.raises(Refused):
        library(hub, "somebody-else").verify(mint(hub))


@library
@pytest.mark.parametrize("forge", forgeries.ALL, ids=lambda forge: forge.__name__)
def test_a_forged_token_is_refused(hub, library, forge):
    service, good = library(hub, OWNER), mint(hub)
    token = forge(good, key_set(hub))
    with pytest.raises(Refused):
        service.verify(token)
    assert service.verify(good)["aud"] == OWNER, "it was the forgery that was refused"
    assert told(hub, token)["valid"] is False and told(hub, good)["valid"] is True


def test_a_key_that_was_announced_is_known_when_it_signs(hub):
    """`keys rotate` publishes a key an hour before it signs: whoever has fetched the set since then knows it."""
    from_before = [library(hub, OWNER) for library in KEEPING]
    old = head(mint(hub))["kid"]
    hub.command("keys", "rotate")
    assert len(names(hub)) == 2 and names(hub)[0] == old
    since_then = [library(hub, OWNER) for library in KEEPING]
    during = mint(hub)
    assert head(during)["kid"] == old, "it does not sign yet"
    assert all(service.verify(during)["aud"] == OWNER for service in from_before + since_then)
    # What comes by itself after an hour: the key that waits signs.
    new = next(name for name in names(hub) if name != old)
    hub.command("keys", "rotate", "--now")
    after = mint(hub)
    assert head(after)["kid"] == new
    assert all(service.verify(token)["aud"] == OWNER for service in since_then for token in (during, after))


def test_a_change_at_once_breaks_no_token_and_retiring_ends_the_old_key(hub_of_its_own):
    hub = hub_of_its_own
    keeping, fetching = [library(hub, OWNER) for library in KEEPING], [library(hub, OWNER) for library in FETCHING]
    before = mint(hub)
    assert all(service.verify(before)["aud"] == OWNER for service in keeping + fetching)
    hub.command("keys", "rotate", "--now")
    # The old key may have signed until now: what it signed last ends that much later than `before`.
    unused = time.time() + body(before)["exp"] - body(before)["iat"]
    after, old = mint(hub), head(before)["kid"]
    assert head(after)["kid"] != old and set(names(hub)) == {old, head(after)["kid"]}
    # Tokens of the old key are good to their end: for those who kept the set, and for those who fetch it now.
    fresh = [library(hub, OWNER) for library in KEEPING]
    assert all(service.verify(before)["aud"] == OWNER for service in keeping + fetching + fresh)
    assert all(service.verify(after)["aud"] == OWNER for service in fetching + fresh)
    for service in keeping:
        with pytest.raises(Refused):
            service.verify(after)  # as `keys rotate --help` says of --now
    assert told(hub, before)["valid"] and told(hub, after)["valid"]

    # The old key is not taken away while its tokens live.
    with pytest.raises(AssertionError, match="--force"):
        hub.command("keys", "retire", old)
    hub.wait(lambda: unused + 1 < time.time(), "the last token of the old key has expired")
    for service in keeping + fetching + fresh:
        with pytest.raises(Refused):
            service.verify(before)
    assert (told(hub, before)["valid"], told(hub, before)["error"]) == (False, "token_expired")
    hub.command("keys", "retire", old)
    assert names(hub) == [head(after)["kid"]]
    last = mint(hub)
    assert all(service.verify(last)["aud"] == OWNER for service in fetching + fresh)

    # A stolen key: nobody who fetches the set takes what it signs, from now on.
    hub.command("keys", "rotate", "--now")
    hub.command("keys", "retire", head(last)["kid"], "--force")
    for library in KEEPING:
        with pytest.raises(Refused):
            library(hub, OWNER).verify(last)
    assert told(hub, last)["error"] == "unknown_key"
