"""One hub with two models: the one of a node, and one that speaks OpenAI's protocol."""

import pytest
from hub import Hub
from model import Model

DOCUMENTS = {
    "herons.md": "# Herons\n\nThe grey heron nests in tall trees near the lake. Herons eat fish, frogs and small mammals.\n",
    "bridges.md": "# Bridges\n\nThe old stone bridge over the river was built in 1432 and repaired in 1791.\n",
}


@pytest.fixture(scope="session")
def model():
    model = Model()
    yield model
    model.stop()


@pytest.fixture(scope="session")
def hub(model):
    hub = Hub()
    try:
        owner = hub.register("librarian")
        hub.publish_node(owner["access_token"], DOCUMENTS, "field-notes")
        connection = {"type": "openai", "config": {"url": model.url, "model": "tiny"}}
        body = {"name": "Parrot", "slug": "parrot", "type": "model", "visibility": "public", "connect": [connection]}
        made = hub.call("POST", "/api/v1/endpoints", owner["access_token"], json=body)
        assert made.status_code == 201, made.text
        # What people put into the field "API key".
        asker = hub.register("asker")
        key = hub.call("POST", "/api/v1/auth/tokens", asker["access_token"], json={"name": "openai", "scopes": ["read"]})
        assert key.status_code == 201, key.text
        hub.key = key.json()["token"]
        yield hub
    finally:
        hub.stop()
