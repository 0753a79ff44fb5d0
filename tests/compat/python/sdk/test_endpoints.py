"""What a user publishes."""

import pytest

POLICIES = [{"type": "rate_limit", "version": "1.0", "enabled": True, "description": "", "config": {"perMinute": 5}}]
CONNECT = [{"type": "http", "enabled": True, "description": "", "config": {"url": "/", "nested": {"a": [1, {"b": None}]}}}]


def test_an_endpoint_is_published_read_changed_and_removed(ada, errors):
    made = ada(
        "my_endpoints.create", name="Field Notes", type="data_source", description="Birds", readme="# Birds", tags=["birds", "lake"],
        policies=POLICIES, connect=CONNECT, version="1.2.3", visibility="public",
    )  # fmt: skip
    assert (made.slug, made.user_id, made.version, made.stars_count) == ("field-notes", ada.id, "1.2.3", 0)
    assert made.contributors == [ada.id] and made.tags == ["birds", "lake"]
    assert made.policies[0].config == {"perMinute": 5} and made.connect[0].config == CONNECT[0]["config"]
    assert [item.slug for item in ada("my_endpoints.list")] == ["field-notes"]
    path = f"{ada.name}/field-notes"
    assert ada("my_endpoints.get", path).id == made.id
    changed = ada("my_endpoints.update", path, description="Water birds", visibility="private", tags=["ducks"])
    assert (changed.description, changed.visibility.value, changed.tags) == ("Water birds", "private", ["ducks"])
    assert changed.updated_at > made.updated_at
    ada("my_endpoints.delete", path)
    with pytest.raises(errors.NotFoundError):
        ada("my_endpoints.get", path)
    with pytest.raises(errors.NotFoundError):
        ada("my_endpoints.delete", path)


def test_what_is_not_well_formed_is_refused(ada, errors):
    with pytest.raises(errors.ValidationError):
        ada("my_endpoints.create", name="N", type="data_source", slug="No--Good")
    with pytest.raises(errors.ValidationError):
        ada("my_endpoints.create", name="N", type="model", version="1")


def test_many_are_listed_page_by_page_and_filtered(ada):
    for number in range(7):
        ada("my_endpoints.create", name=f"Notes {number}", type="model", visibility="private" if number % 2 else "public")
    every = ada("my_endpoints.list", page_size=3)
    assert len(every) == 7 and len({item.id for item in every}) == 7
    assert len(ada("my_endpoints.list", visibility="private", page_size=2)) == 3


@pytest.mark.needs("my_endpoints.sync")
def test_all_are_replaced_at_once(ada, errors):
    ada("my_endpoints.create", name="Old", type="model")
    done = ada("my_endpoints.sync", [{"name": "My Model", "type": "model"}, {"name": "My Model", "type": "model"}])
    assert (done.synced, done.deleted) == (2, 1)
    assert [item.slug for item in done.endpoints] == ["my-model", "my-model-1"]
    with pytest.raises(errors.SyftHubError) as refused:
        ada("my_endpoints.sync", [{"name": "A", "type": "model", "slug": "same"}, {"name": "B", "type": "model", "slug": "same"}])
    assert refused.value.status_code == 400
    with pytest.raises(errors.ValidationError):
        ada("my_endpoints.sync", [{"name": "A", "type": "model", "slug": "admin"}])
    assert len(ada("my_endpoints.list")) == 2
    assert ada("my_endpoints.sync", []).deleted == 2
    assert ada("my_endpoints.list") == []
