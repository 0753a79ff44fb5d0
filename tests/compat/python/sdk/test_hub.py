"""What everybody may browse, search and star."""

import pytest


@pytest.fixture
def owner(join):
    owner = join("publisher")
    owner("my_endpoints.create", name="Glacier Atlas", type="data_source", description="Glaciers of the southern alps")
    owner("my_endpoints.create", name="Hidden", type="model", visibility="private")
    return owner


def test_public_endpoints_are_browsed_and_read(owner, connect, errors):
    anybody = connect()
    paths = [f"{item.owner_username}/{item.slug}" for item in anybody("hub.browse", page_size=2)]
    assert len(paths) == len(set(paths))
    assert f"{owner.name}/glacier-atlas" in paths and f"{owner.name}/hidden" not in paths
    found = anybody("hub.get", f"{owner.name}/glacier-atlas")
    assert found.name == "Glacier Atlas" and found.contributors_count == 1
    for path in (f"{owner.name}/hidden", f"{owner.name}/nothing"):
        with pytest.raises(errors.NotFoundError):
            anybody("hub.get", path)


def test_stars_lead_the_trending_list(owner, connect):
    path = f"{owner.name}/glacier-atlas"
    assert owner("hub.is_starred", path) is False
    owner("hub.star", path)
    owner("hub.star", path)
    assert owner("hub.is_starred", path) is True
    counts = [item.stars_count for item in connect()("hub.trending", min_stars=1, page_size=3)]
    assert counts == sorted(counts, reverse=True) and counts[0] >= 1
    assert owner("hub.get", path).stars_count == 1
    owner("hub.unstar", path)
    owner("hub.unstar", path)
    assert owner("hub.is_starred", path) is False
    assert owner("hub.get", path).stars_count == 0


@pytest.mark.needs("hub.search")
def test_a_search_finds_by_meaning_and_with_typing_errors(owner, connect):
    anybody = connect()
    for words in ("glacier atlas", "glaceir atlas"):
        hits = anybody("hub.search", words, top_k=20)
        assert "glacier-atlas" in [hit.slug for hit in hits], words
        assert all(0.0 <= hit.relevance_score <= 1.0 for hit in hits)
    assert all(hit.type.value == "model" for hit in anybody("hub.search", "glacier atlas", type="model"))
    assert anybody("hub.search", "glacier", min_score=1.1) == []
    assert anybody("hub.search", "gl") == []


@pytest.mark.needs("hub.get_collective_endpoint_paths")
def test_the_members_of_a_collective_are_paths(owner, hub, connect, errors):
    import httpx

    headers = {"Authorization": f"Bearer {owner.client.get_tokens().access_token}"}

    def post(path: str, body: dict) -> dict:
        answer = httpx.post(f"{hub.url}/api/v1/collectives{path}", json=body, headers=headers)
        assert answer.status_code == 201, answer.text
        return answer.json()

    path = f"{owner.name}/glacier-atlas"
    endpoint = owner("my_endpoints.get", path).id
    made = post("", {"name": f"Ice of {owner.name}", "auto_approve": True})
    post(f"/{made['id']}/members", {"endpoint_id": endpoint})
    post(f"/{made['id']}/shared-endpoints", {"name": "South", "slug": "south", "endpoint_ids": [endpoint]})
    anybody = connect()
    assert anybody("hub.get_collective_endpoint_paths", made["slug"]) == [path]
    assert anybody("hub.get_collective_endpoint_paths", made["slug"], "south") == [path]
    assert anybody("hub.get_collective_endpoint_paths", made["slug"], "all") == [path]
    with pytest.raises(errors.NotFoundError):
        anybody("hub.get_collective_endpoint_paths", "no-such-collective")
