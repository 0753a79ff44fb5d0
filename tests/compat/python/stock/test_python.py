"""The `openai` package for Python, unmodified."""

import openai
import pytest

SOURCE, EXTRACT, PARROT = "librarian/field-notes", "librarian/field-notes-model", "librarian/parrot"
QUESTION = [{"role": "user", "content": "What do grey herons eat?"}]
HELLO = [{"role": "user", "content": "Hi"}]
WEATHER = {"type": "function", "function": {"name": "weather", "parameters": {"type": "object", "properties": {"city": {"type": "string"}}}}}


@pytest.fixture
def client(hub):
    return openai.OpenAI(base_url=f"{hub.url}/v1", api_key=hub.key, max_retries=0)


def test_models(client):
    ids = [model.id for model in client.models.list()]
    assert ids == [EXTRACT, PARROT]
    found = client.models.retrieve(PARROT)
    assert (found.id, found.owned_by, found.object) == (PARROT, "librarian", "model")
    with pytest.raises(openai.NotFoundError):
        client.models.retrieve("librarian/nothing")


def test_an_answer_with_sources_and_citations(client):
    answer = client.chat.completions.create(
        model=f"{EXTRACT}+{SOURCE}", messages=QUESTION, extra_body={"syfthub": {"similarity_threshold": 0.0}}
    )
    assert answer.object == "chat.completion" and answer.choices[0].finish_reason == "stop"
    assert "fish" in answer.choices[0].message.content
    more = answer.model_extra["syfthub"]
    cited = more["citations"]["1"]
    assert cited["slug"] == SOURCE and "heron" in cited["passage"].lower()
    start, end = cited["span"]
    assert more["sources"][cited["title"]]["content"][start:end] == cited["passage"]


def test_an_answer_piece_by_piece(client, model):
    chunks = list(client.chat.completions.create(model=PARROT, messages=HELLO, stream=True, stream_options={"include_usage": True}))
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices) == "Hello\u2028."
    assert [chunk.choices[0].finish_reason for chunk in chunks if chunk.choices][-1] == "stop"
    assert chunks[-1].usage.total_tokens == 5
    assert model.calls[-1]["path"] == "/v1/chat/completions" and model.calls[-1]["body"]["model"] == "tiny"
    assert model.calls[-1]["authorization"].count(".") == 2, "a satellite token"


def test_functions(client):
    asked = client.chat.completions.create(model=PARROT, messages=HELLO, tools=[WEATHER])
    call = asked.choices[0].message.tool_calls[0]
    assert (call.function.name, call.function.arguments) == ("weather", '{"city": "Paris"}')
    assert asked.choices[0].finish_reason == "tool_calls"
    turns = [*HELLO, asked.choices[0].message, {"role": "tool", "tool_call_id": call.id, "content": "rain"}]
    assert client.chat.completions.create(model=PARROT, messages=turns, tools=[WEATHER]).choices[0].message.content == "Hello."
    with client.chat.completions.stream(model=PARROT, messages=HELLO, tools=[WEATHER]) as stream:
        message = stream.get_final_completion().choices[0].message
    assert message.tool_calls[0].function.name == "weather"
    with pytest.raises(openai.BadRequestError) as refused:
        client.chat.completions.create(model=EXTRACT, messages=HELLO, tools=[WEATHER])
    assert refused.value.param == "tools"


def test_errors(client, hub):
    with pytest.raises(openai.NotFoundError) as unknown:
        client.chat.completions.create(model="librarian/nothing", messages=HELLO)
    assert (unknown.value.code, unknown.value.param) == ("model_not_found", "model")
    with pytest.raises(openai.BadRequestError) as wrong:
        client.chat.completions.create(model=PARROT, messages=[], temperature=3)
    assert "messages" in wrong.value.message and "temperature" in wrong.value.message
    for stream in (False, True):
        with pytest.raises(openai.RateLimitError):
            client.chat.completions.create(model=PARROT, messages=[{"role": "user", "content": "overload"}], stream=stream)
    stranger = openai.OpenAI(base_url=f"{hub.url}/v1", api_key="syft_pat_wrong", max_retries=0)
    for call in (stranger.models.list, lambda: stranger.chat.completions.create(model=PARROT, messages=HELLO)):
        with pytest.raises(openai.AuthenticationError) as refused:
            call()
        assert refused.value.code == "invalid_api_key"


def test_a_guest(hub):
    # The package insists on a key; a guest sends none.
    guest = openai.OpenAI(base_url=f"{hub.url}/v1", api_key="unused", max_retries=0)
    nobody = {"Authorization": openai.Omit()}
    answer = guest.chat.completions.create(model=PARROT, messages=HELLO, extra_body={"models": [EXTRACT]}, extra_headers=nobody)
    assert answer.choices[0].message.content == "Hello."
    assert [attempt["outcome"] for attempt in answer.model_extra["syfthub"]["metadata"]["attempts"]] == ["success"]
