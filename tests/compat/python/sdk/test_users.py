"""Profiles, names, a user's own aggregators, tunnel and accounting."""

import pytest


def test_a_profile_is_changed(ada):
    changed = ada(
        "users.update", full_name="Ada L.", avatar_url="https://example.com/a.png", domain="https://ada.example.com",
        email=f"new-{ada.email}", username=f"new-{ada.name}",
    )  # fmt: skip
    assert (changed.full_name, changed.username) == ("Ada L.", f"new-{ada.name}")
    assert changed.email == f"new-{ada.email}" and changed.avatar_url == "https://example.com/a.png"
    assert ada("auth.me").full_name == "Ada L."


def test_a_profile_takes_no_name_of_another(ada, join, errors):
    with pytest.raises(errors.SyftHubError) as refused:
        ada("users.update", username=join("bob").name)
    assert refused.value.status_code == 409


def test_whether_names_are_free(ada, connect):
    anybody = connect()
    assert anybody("users.check_username", "surely-free-name") is True
    assert anybody("users.check_username", ada.name) is False
    assert anybody("users.check_email", "surely-free@example.com") is True
    assert anybody("users.check_email", ada.email) is False


def test_without_an_accounting_service_the_credentials_say_so(ada):
    credentials = ada("users.get_accounting_credentials")
    assert credentials.email == ada.email
    assert credentials.url is None and credentials.password is None


@pytest.mark.needs("users.get_nats_credentials")
def test_the_word_of_the_tunnel(ada):
    assert ada("users.get_nats_credentials").nats_auth_token == "a shared word of the tunnel 1"


@pytest.mark.needs("users.send_heartbeat")
def test_a_heartbeat_names_where_the_services_are(ada, errors):
    beat = ada("users.send_heartbeat", url="https://ada.example.com/some/path", ttl_seconds=120)
    assert (beat.status, beat.domain, beat.ttl_seconds) == ("ok", "https://ada.example.com", 120)
    assert (beat.expires_at - beat.received_at).total_seconds() == 120
    with pytest.raises(errors.ValidationError):
        ada("users.send_heartbeat", url="no address")


@pytest.mark.needs("users.aggregators.list")
@pytest.mark.parametrize("where", ["users.aggregators", "aggregators"])
def test_a_users_own_aggregators(ada, join, errors, where):
    import surface

    if not surface.has(f"{where}.list"):
        where = "users.aggregators"  # older versions have it there only
    assert ada(f"{where}.list") == []
    first = ada(f"{where}.create", name="Home", url="https://one.example.com")
    second = ada(f"{where}.create", name="Work", url="https://two.example.com")
    assert first.is_default and not second.is_default
    assert [item.id for item in ada(f"{where}.list")] == [second.id, first.id]
    assert ada(f"{where}.update", second.id, name="Office").name == "Office"
    assert ada(f"{where}.set_default", second.id).is_default
    assert not ada(f"{where}.get", first.id).is_default
    ada(f"{where}.delete", second.id)
    assert ada(f"{where}.get", first.id).is_default
    with pytest.raises(errors.NotFoundError):
        ada(f"{where}.get", second.id)
    with pytest.raises(errors.AuthorizationError):
        join("eve")(f"{where}.get", first.id)
