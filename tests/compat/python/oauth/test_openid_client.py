"""The package `openid-client` for Node, unmodified."""

import pytest
from programs import run

NAME = "openid-client"
SCOPE = "openid profile email offline_access read"


def journey(world, told: dict, **visit) -> dict:
    """From registration to the end of the grant."""
    done, visits = run(world, "openid.mjs", {"scope": SCOPE, **told}, **visit)
    assert visits[0]["client"] == NAME, visits
    if "resource" in told:
        assert done["used"]["username"] == "asker", done["used"]
    else:
        assert "discover_syfthub_endpoints" in {tool["name"] for tool in done["used"]["result"]["tools"]}
    assert (done["user"]["preferred_username"], done["user"]["email"]) == ("asker", "asker@example.com")
    assert done["claims"]["sub"] == done["user"]["sub"] and done["claims"]["aud"] == done["client"]["client_id"]
    if told.get("method", "none") != "none":
        assert done["introspected"]["active"] and done["introspected"]["username"] == "asker", done["introspected"]
        assert done["over"] == {"active": False}
    assert done["refused"]["name"] == "WWWAuthenticateChallengeError", done["refused"]
    assert done["gone"]["code"] == "invalid_grant", done["gone"]
    assert world.refused(done["first"]["access_token"]) and world.refused(done["last"]["access_token"])
    return done


@pytest.mark.parametrize("method", ["none", "client_secret_basic", "client_secret_post"])
def test_a_program_that_registers_itself(world, method):
    done = journey(world, {"method": method})
    assert done["client"]["token_endpoint_auth_method"] == method


def test_a_program_that_publishes_a_document(world):
    document = world.documents.client(NAME, redirect_uris=["http://127.0.0.1/callback"])
    done = journey(world, {"document": document, "algorithm": "oauth2"})
    assert done["client"]["client_id"] == document


@pytest.mark.parametrize("method", ["none", "client_secret_basic", "client_secret_post"])
def test_a_program_that_the_operator_made(world, method):
    fixed = world.made_by_the_operator(NAME, method)
    done = journey(world, {"method": method, "fixed": fixed})
    assert done["client"]["client_id"] == fixed["client_id"]


@pytest.mark.parametrize("method", ["none", "client_secret_basic"])
def test_tokens_that_are_bound_to_a_key(world, method):
    done = journey(world, {"method": method, "dpop": True, "pushed": method != "none"})
    assert done["first"]["token_type"] == done["last"]["token_type"] == "dpop"
    if method == "none":
        assert done["stolen"]["code"] in ("invalid_dpop_proof", "invalid_grant"), done["stolen"]


@pytest.mark.parametrize("published", [False, True])
def test_a_program_with_a_key_of_its_own(world, published):
    key = world.key()
    told = {"method": "private_key_jwt", "key": key}
    if published:
        keys = world.documents.keys(key["public"])
        about = {"token_endpoint_auth_method": "private_key_jwt", "jwks_uri": keys}
        told["document"] = world.documents.client(NAME, redirect_uris=["http://127.0.0.1/callback"], **about)
    journey(world, told)


@pytest.mark.parametrize("by", ["client_secret_basic", "client_secret_post", "private_key_jwt"])
def test_a_service(world, tmp_path, by):
    told = {"grant": "credentials", "scope": "read", "method": by}
    if by == "private_key_jwt":
        told["fixed"], told["key"] = world.service_with_key(NAME, tmp_path)
    else:
        told["fixed"] = world.service(NAME)
    done, visits = run(world, "openid.mjs", told)
    assert not visits and "refresh_token" not in done["first"]
    assert "discover_syfthub_endpoints" in {tool["name"] for tool in done["used"]["result"]["tools"]}
    assert done["introspected"]["active"] and done["over"] == {"active": False}
    assert done["refused"]["name"] == "WWWAuthenticateChallengeError" and world.refused(done["first"]["access_token"])


def test_a_request_that_was_pushed_first(world):
    journey(world, {"method": "client_secret_post", "pushed": True, "narrow": "read"}, javascript=False)


@pytest.mark.parametrize("complete", [False, True])
def test_a_device_without_a_browser(world, complete):
    grants = ["urn:ietf:params:oauth:grant-type:device_code", "refresh_token"]
    told = {"grant": "device", "complete": complete, "metadata": {"grant_types": grants}, "dpop": complete}
    journey(world, told, javascript=complete)


def test_a_token_for_the_api(world):
    journey(world, {"resource": world.api, "scope": f"{SCOPE} full"})
