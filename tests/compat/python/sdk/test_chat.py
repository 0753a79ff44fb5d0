"""Questions through the hub's own aggregator to a node's data source and model."""

import pytest

QUESTION = "What do grey herons eat?"


def test_an_answer_with_its_sources(ada, library):
    answer = ada("chat.complete", prompt=QUESTION, model=library["model"], data_sources=[library["source"]], similarity_threshold=0.0)
    assert "fish" in answer.response
    assert [(info.path, info.status.value) for info in answer.retrieval_info] == [(library["source"], "success")]
    assert any("heron" in source.content.lower() for source in answer.sources.values())
    assert answer.metadata.total_time_ms >= 0


def test_an_answer_piece_by_piece(ada, library):
    events = ada("chat.stream", prompt=QUESTION, model=library["model"], data_sources=[library["source"]], similarity_threshold=0.0)
    kinds = [event.type for event in events]
    assert kinds[0] == "retrieval_start" and kinds[-1] == "done" and "generation_start" in kinds
    assert "fish" in "".join(event.content for event in events if event.type == "token")


def test_line_separators_and_other_scripts_arrive(ada, library):
    question = {"prompt": "What does the herring gull of Büsum eat?", "model": library["model"], "data_sources": [library["source"]]}
    answer = ada("chat.complete", similarity_threshold=0.0, **question)
    texts = [source.content for source in answer.sources.values() if "Möwe" in source.content]
    assert texts and "\u2028" in texts[0] and "🦀" in texts[0]
    events = ada("chat.stream", similarity_threshold=0.0, **question)
    assert events[-1].type == "done"
    assert any(source.content == texts[0] for source in events[-1].sources.values())
    assert "Möwe" in "".join(event.content for event in events if event.type == "token")


def test_a_model_that_is_not_there_is_named(ada, errors):
    with pytest.raises(errors.SyftHubError):
        ada("chat.complete", prompt=QUESTION, model=f"{ada.name}/nothing")


def test_models_and_data_sources_to_choose_from(ada, library):
    models = [f"{item.owner_username}/{item.slug}" for item in ada("chat.get_available_models", limit=100)]
    sources = [f"{item.owner_username}/{item.slug}" for item in ada("chat.get_available_data_sources", limit=100)]
    assert library["model"] in models and library["source"] in sources


@pytest.mark.needs("auth.get_guest_satellite_tokens")
def test_a_guest_asks(connect, library):
    guest = connect()
    options = {"data_sources": [library["source"]], "similarity_threshold": 0.0, "guest_mode": True}
    assert "fish" in guest("chat.complete", prompt=QUESTION, model=library["model"], **options).response


@pytest.mark.needs("chat.retrieve", "search.query")
def test_documents_without_an_answer(ada, library):
    for call in ("search.query", "chat.retrieve"):
        found = ada(call, "grey herons", data_sources=[library["source"]], similarity_threshold=0.0)
        assert any("heron" in document.content.lower() for document in found.documents), call
        assert found.retrieval_info[0].path == library["source"]
