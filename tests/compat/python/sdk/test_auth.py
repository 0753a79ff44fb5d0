"""Registration, sessions, passwords, and the tokens for services."""

import jwt
import pytest
from hub import PASSWORD

OTHER_PASSWORD = "another horse 2"


def test_a_new_user_signs_in_and_is_known(ada):
    me = ada("auth.me")
    assert (me.id, me.username, me.email, me.role.value) == (ada.id, ada.name, ada.email, "user")
    assert me.is_active and ada.client.is_authenticated


def test_a_taken_mail_address_is_refused(ada, connect, errors):
    with pytest.raises(errors.SyftHubError) as refused:
        connect()("auth.register", username="somebody", email=ada.email, password=PASSWORD, full_name="B")
    assert refused.value.status_code == 409


def test_a_taken_name_gives_another_one(ada, connect):
    email = f"second-{ada.name}@example.com"
    made = connect()("auth.register", username=ada.name, email=email, password=PASSWORD, full_name="B")
    user = getattr(made, "user", made)
    assert user.username != ada.name and user.username.startswith(f"second-{ada.name}")


def test_a_weak_password_is_refused(connect, errors):
    with pytest.raises(errors.ValidationError):
        connect()("auth.register", username="weak-1", email="weak-1@example.com", password="short", full_name="B")


def test_sign_in_by_mail_address_and_with_a_wrong_password(ada, connect, errors):
    other = connect()
    assert other("auth.login", username=ada.email, password=PASSWORD).username == ada.name
    with pytest.raises(errors.AuthenticationError):
        other("auth.login", username=ada.name, password="wrong horse 9")


def test_signing_out_ends_the_token(ada, connect, errors):
    kept = ada.client.get_tokens()
    ada("auth.logout")
    assert not ada.client.is_authenticated
    other = connect()
    other.client.set_tokens(kept)
    with pytest.raises(errors.AuthenticationError):
        other("auth.me")


def test_a_pair_is_renewed_by_hand_and_by_itself(ada):
    before = ada.client.get_tokens()
    ada("auth.refresh")
    after = ada.client.get_tokens()
    assert after.access_token != before.access_token
    assert ada("auth.me").id == ada.id
    ada.client.set_tokens(type(after)(access_token="no.good.token", refresh_token=after.refresh_token))
    assert ada("auth.me").id == ada.id
    assert ada.client.get_tokens().access_token != "no.good.token"


def test_another_client_takes_over_a_saved_pair(ada, connect):
    other = connect()
    other.client.set_tokens(ada.client.get_tokens())
    assert other("auth.me").id == ada.id


def test_changing_the_password(ada, connect, errors):
    with pytest.raises(errors.SyftHubError):
        ada("auth.change_password", current_password="wrong horse 9", new_password=OTHER_PASSWORD)
    ada("auth.change_password", current_password=PASSWORD, new_password=OTHER_PASSWORD)
    with pytest.raises(errors.AuthenticationError):
        connect()("auth.login", username=ada.name, password=PASSWORD)
    assert connect()("auth.login", username=ada.name, password=OTHER_PASSWORD).id == ada.id


def test_the_short_forms_on_the_client(ada, connect):
    other = connect()
    email = f"short-{ada.name}@example.com"
    made = other("register", username=f"short-{ada.name}", email=email, password=PASSWORD, full_name="Short")
    name = getattr(made, "user", made).username
    assert other("login", username=name, password=PASSWORD).username == name
    assert other("me").username == name
    other("refresh")
    other("change_password", current_password=PASSWORD, new_password=OTHER_PASSWORD)
    other("login", username=name, password=OTHER_PASSWORD)
    other("logout")
    assert not other.client.is_authenticated


@pytest.mark.needs("auth.get_auth_config")
def test_what_a_sign_in_page_needs_to_know(connect):
    config = connect()("auth.get_auth_config")
    assert not config.require_email_verification
    assert not config.smtp_configured and not config.password_reset_enabled


def test_a_token_for_a_service_speaks_for_the_caller(ada, join):
    owner = join("owner")
    made = ada("auth.get_satellite_token", owner.name)
    claims = jwt.decode(made.target_token, options={"verify_signature": False})
    assert (claims["aud"], claims["sub"], claims["role"]) == (owner.name, str(ada.id), "user")
    assert made.expires_in == 60


def test_tokens_for_several_services_at_once(ada, join, errors):
    names = [join("owner").name for _ in range(5)]
    tokens = ada("auth.get_satellite_tokens", [*names, "nobody-at-all"])
    assert sorted(tokens) == sorted(names)
    with pytest.raises(errors.NotFoundError):
        ada("auth.get_satellite_token", "nobody-at-all")


@pytest.mark.needs("auth.get_guest_satellite_token")
def test_a_token_for_a_guest(ada, connect):
    guest = connect()
    made = guest("auth.get_guest_satellite_token", ada.name)
    claims = jwt.decode(made.target_token, options={"verify_signature": False})
    assert (claims["sub"], claims["role"], claims["aud"]) == ("guest", "guest", ada.name)
    assert list(guest("auth.get_guest_satellite_tokens", [ada.name])) == [ada.name]


def test_without_an_accounting_service_there_are_no_transaction_tokens(ada, hub):
    assert ada("auth.get_transaction_tokens", [ada.name]) == {"tokens": {}, "errors": {}}
    # The SDK hides every error here, so the hub's own answer is looked at as well.
    token = ada.client.get_tokens().access_token
    answer = hub.call("POST", "/api/v1/accounting/transaction-tokens", token, json={"owner_usernames": [ada.name]})
    assert (answer.status_code, answer.json()["detail"]["code"]) == (400, "ACCOUNTING_NOT_CONFIGURED")


@pytest.mark.needs("auth.get_peer_token")
def test_tokens_for_the_tunnel(ada, connect):
    made = ada("auth.get_peer_token", [ada.name])
    assert made.peer_token.startswith("pt_") and made.peer_channel.startswith("peer_")
    assert made.expires_in == 120 and made.nats_url.startswith("ws")
    guest = connect()("auth.get_guest_peer_token", [ada.name])
    assert guest.peer_token.startswith("pt_") and guest.expires_in == 90
