"""Personal access tokens."""

import datetime

import pytest

pytestmark = pytest.mark.needs("api_tokens.create")


def test_a_token_stands_in_for_a_session(ada, connect, errors):
    end = datetime.datetime.now(datetime.UTC) + datetime.timedelta(days=1)
    made = ada("api_tokens.create", name="laptop", scopes=["read"], expires_at=end)
    assert made.token.startswith("syft_pat_") and len(made.token) == 52
    assert made.token_prefix == made.token[:16] and made.is_active and made.updated_at
    holder = connect(api_token=made.token)
    assert holder.client.is_using_api_token and holder("auth.me").id == ada.id
    with pytest.raises(errors.AuthorizationError):
        holder("my_endpoints.create", name="N", type="model")
    assert ada("api_tokens.get", made.id).last_used_at is not None
    assert ada("api_tokens.update", made.id, name="tablet").name == "tablet"
    ada("api_tokens.revoke", made.id)
    with pytest.raises(errors.AuthenticationError):
        holder("auth.me")


def test_tokens_are_listed_newest_first(ada, errors):
    names = ["one", "two", "three"]
    made = [ada("api_tokens.create", name=name) for name in names]
    ada("api_tokens.revoke", made[0].id)
    listed = ada("api_tokens.list")
    assert [token.name for token in listed.tokens] == ["three", "two"] and listed.total == 2
    assert ada("api_tokens.list", include_inactive=True).total == 3
    assert [token.name for token in ada("api_tokens.list", skip=1, limit=1).tokens] == ["two"]
    with pytest.raises(errors.NotFoundError):
        ada("api_tokens.get", 999_999_999)
    with pytest.raises(errors.ValidationError):
        ada("api_tokens.create", name="")
