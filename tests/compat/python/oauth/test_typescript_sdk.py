"""The package `@modelcontextprotocol/sdk` for Node, unmodified."""

import pytest
from programs import run

NAME = "sdk for TypeScript"
NOTES = "syfthub://keeper/field-notes"
QUESTION = {"prompt": "What do grey herons eat?", "data_sources": ["keeper/field-notes"], "model": "keeper/field-notes-model"}


def journey(world, told: dict, **visit) -> tuple[dict, list[dict]]:
    """From a first look to the end of the grant."""
    done, visits = run(world, "sdk.mjs", {"notes": NOTES, "question": QUESTION, **told}, **visit)
    assert "discover_syfthub_endpoints" in done["tools"] and "publish_endpoint" not in done["tools"]
    assert "keeper/field-notes" in done["found"] and done["wrong"]
    assert "fish" in done["answer"] and done["progress"] > 1, done
    assert NOTES in done["resources"] and "Field notes" in done["read"]
    assert "ask" in done["prompts"] and "herons" in done["prompt"] and done["completed"] == ["keeper"]
    assert visits[0]["client"] == NAME and visits[0]["warned"], visits
    assert done["revoked"]["code"] == "invalid_grant", done["revoked"]
    for tokens in (done["before"], done["after"]):
        assert world.refused(tokens["access_token"])
    return done, visits


@pytest.mark.parametrize("method", ["none", "client_secret_basic", "client_secret_post"])
def test_a_program_that_registers_itself(world, method):
    done, visits = journey(world, {"method": method})
    assert ("client_secret" in done["client"]) == (method != "none") and len(visits) == 1


def test_a_program_that_publishes_a_document(world):
    # On the own machine the port does not matter: this one is of no listener.
    document = world.documents.client(NAME, redirect_uris=["http://127.0.0.1:1/callback"])
    done, visits = journey(world, {"document": document})
    assert done["client"]["client_id"] == document and "localhost" in visits[0]["text"]


@pytest.mark.parametrize("method", ["none", "client_secret_basic", "client_secret_post"])
def test_a_program_that_the_operator_made(world, method):
    fixed = {**world.made_by_the_operator(NAME, method), "issuer": world.issuer}
    done, _ = journey(world, {"fixed": fixed})
    assert done["client"] == fixed


@pytest.mark.parametrize("published", [False, True])
def test_a_program_with_a_key_of_its_own(world, published):
    key = world.key()
    told = {"method": "private_key_jwt", "key": key}
    if published:
        about = {"token_endpoint_auth_method": "private_key_jwt", "jwks": {"keys": [key["public"]]}}
        told["document"] = world.documents.client(NAME, redirect_uris=["http://127.0.0.1/callback"], **about)
    done, _ = journey(world, told)
    assert "client_secret" not in done["client"]


def test_more_is_asked_for_when_it_is_needed(world):
    more = {"name": "Kept by another program", "type": "data_source"}
    done, visits = journey(world, {"more": more}, javascript=False)
    assert len(visits) == 2 and len(visits[1]["scopes"]) > len(visits[0]["scopes"])
    assert {"read", "write"} <= set(done["before"]["scope"].split())
