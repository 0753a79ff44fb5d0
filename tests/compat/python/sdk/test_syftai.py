"""Straight to a node or a space, with the tokens that the hub mints and payment from the hub's wallet."""

import http.server
import inspect
import json
import threading

import jwt
import pytest

CHALLENGE = 'Payment id="ch-1", realm="space", method="tempo", intent="charge", request="eyJhbW91bnQiOiAiMTAwMDAiLCAiY3VycmVuY3kiOiAiVVNEIiwgInJlY2lwaWVudCI6ICIweDExMTExMTExMTExMTExMTExMTExMTExMTExMTExMTExMTExMTExMTEifQ"'


class Space(http.server.BaseHTTPRequestHandler):
    """A service that takes questions without a token; `toll` wants to be paid first."""

    def do_POST(self) -> None:
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.requests.append((self.headers, request))
        if "/toll/" in self.path and not self.headers.get("X-Payment"):
            self.answer(402, "application/json", json.dumps({"detail": "pay"}), {"WWW-Authenticate": CHALLENGE})
        elif request.get("stream"):
            self.answer(200, "text/event-stream", 'data: {"content": "piece by "}\n\ndata: {"content": "piece"}\n\ndata: [DONE]\n\n')
        elif isinstance(request["messages"], list):
            self.answer(200, "application/json", json.dumps({"message": {"role": "assistant", "content": "at once"}}))
        else:
            # The words, where older and newer versions look for them.
            documents = [{"content": "some words", "score": 1.0, "similarity_score": 1.0, "metadata": {}}]
            self.answer(200, "application/json", json.dumps({"documents": documents}))

    def answer(self, status: int, kind: str, body: str, headers: dict | None = None) -> None:
        self.send_response(status)
        for name, value in {"Content-Type": kind, "Content-Length": str(len(body)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, *_) -> None:
        pass


@pytest.fixture
def space():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Space)
    server.requests = []
    server.url = f"http://127.0.0.1:{server.server_port}"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def reference(url: str, slug: str, owner: str = ""):
    from syfthub_sdk.models import EndpointRef

    more = {"owner_username": owner} if owner and "owner_username" in EndpointRef.model_fields else {}
    return EndpointRef(url=url, slug=slug, **more)


def message(text: str):
    from syfthub_sdk.models import Message

    return Message(role="user", content=text)


def sends_tokens(sdk) -> bool:
    """Whether this version sends a token to a data source; no version sends one to a model."""
    return "owner_username" in inspect.signature(type(sdk.client.syftai).query_data_source).parameters


def test_documents_from_our_node(ada, library, errors):
    item = ada("hub.get", library["source"])
    source = reference(item.connect[0].config["url"], item.slug, library["owner"])
    if sends_tokens(ada):
        found = ada("syftai.query_data_source", source, "grey herons", ada.email, top_k=3, similarity_threshold=0.0)
        assert any("heron" in document.content.lower() for document in found)
    else:
        # A node answers nobody without a token of the hub, which these versions do not send.
        with pytest.raises(errors.RetrievalError):
            ada("syftai.query_data_source", source, "grey herons", ada.email)


def test_documents_from_a_space(ada, space):
    found = ada("syftai.query_data_source", reference(space.url, "open", ada.name), "words", ada.email)
    assert [document.content for document in found] == ["some words"]
    if sends_tokens(ada):
        token = space.requests[0][0]["Authorization"].removeprefix("Bearer ")
        assert jwt.decode(token, options={"verify_signature": False})["aud"] == ada.name


def test_an_answer_from_the_model_of_a_space(ada, space):
    model = reference(space.url, "open")
    assert ada("syftai.query_model", model, [message("Hello")], ada.email) == "at once"
    assert "".join(ada("syftai.query_model_stream", model, [message("Hello")], ada.email)) == "piece by piece"


@pytest.mark.needs("syftai.query_data_source")
def test_a_space_is_paid_from_the_wallet(ada, hub, space):
    if not sends_tokens(ada):
        return  # these versions cannot pay; what they can is tested above
    token = ada.client.get_tokens().access_token
    made = hub.call("POST", "/api/v1/wallet/create", token)
    assert made.status_code == 200, made.text
    found = ada("syftai.query_data_source", reference(space.url, "toll", ada.name), "words", ada.email, pay=True)
    assert [document.content for document in found] == ["some words"]
    assert [bool(headers["X-Payment"]) for headers, _ in space.requests] == [False, True]
