"""Codes by mail: confirming an address, and a forgotten password."""

import pytest
from hub import PASSWORD

pytestmark = pytest.mark.needs("auth.verify_otp")
OTHER_PASSWORD = "another horse 2"


def wrong(code: str) -> str:
    return "111111" if code != "111111" else "222222"


def test_an_address_is_confirmed_with_the_code_that_was_sent(connect, mail_hub, mailbox, errors):
    new = connect(mail_hub)
    config = new("auth.get_auth_config")
    assert config.require_email_verification and config.smtp_configured and config.password_reset_enabled
    made = new("auth.register", username="mia", email="mia@example.com", password=PASSWORD, full_name="Mia")
    assert made.requires_email_verification and not new.client.is_authenticated
    with pytest.raises(errors.AuthorizationError):
        new("auth.login", username="mia", password=PASSWORD)
    code = mailbox.code_for("mia@example.com")
    with pytest.raises(errors.SyftHubError):
        new("auth.verify_otp", email="mia@example.com", code=wrong(code))
    seen = len(mailbox.letters)
    new("auth.resend_otp", email="mia@example.com")
    code = mailbox.code_for("mia@example.com", after=seen)
    assert new("auth.verify_otp", email="mia@example.com", code=code).username == "mia"
    assert new("auth.me").username == "mia"


def test_a_forgotten_password_is_replaced(connect, mail_hub, mailbox, errors):
    new = connect(mail_hub)
    new("auth.register", username="noa", email="noa@example.com", password=PASSWORD, full_name="Noa")
    new("auth.verify_otp", email="noa@example.com", code=mailbox.code_for("noa@example.com"))
    seen = len(mailbox.letters)
    forgetful = connect(mail_hub)
    forgetful("auth.request_password_reset", email="nobody@example.com")
    forgetful("auth.request_password_reset", email="noa@example.com")
    code = mailbox.code_for("noa@example.com", after=seen)
    with pytest.raises(errors.SyftHubError):
        forgetful("auth.confirm_password_reset", email="noa@example.com", code=wrong(code), new_password=OTHER_PASSWORD)
    forgetful("auth.confirm_password_reset", email="noa@example.com", code=code, new_password=OTHER_PASSWORD)
    assert forgetful("auth.login", username="noa", password=OTHER_PASSWORD).username == "noa"
