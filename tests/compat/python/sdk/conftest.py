"""One hub, one mail hub and one SDK version for the tests of this folder."""

import itertools
import os
import sys
from pathlib import Path

import pytest
from hub import PASSWORD, Hub
from ledger import Driver, Ledger
from mailbox import Mailbox

LEDGER = Ledger()
DOCUMENTS = {
    "herons.md": "# Herons\n\nThe grey heron nests in tall trees near the lake. Herons eat fish, frogs and small mammals.\n",
    # U+2028, U+2029 and U+0085 end a line for some clients, and end events for those that split them there.
    "gulls.md": "# Möwen\n\nThe herring gull of Büsum,\u2028 called Möwe,\u2029 nests on the dyke\u0085 and eats crabs 🦀.\n",
    "bridges.md": "# Bridges\n\nThe old stone bridge over the river was built in 1432 and repaired in 1791.\n",
}


def pytest_configure(config) -> None:
    version = config.getoption("--sdk")
    folder = Path(os.environ.get("SYFTHUB_SDKS", Path(sys.executable).parents[2] / "sdk")) / version
    assert folder.exists(), f"{folder} is missing: run prepare.py"
    sys.path.insert(0, str(folder))
    config.addinivalue_line("markers", "needs(*calls): only where the SDK has these calls")


def pytest_collection_modifyitems(config, items) -> None:
    import surface

    def fits(item) -> bool:
        return all(surface.has(call) for mark in item.iter_markers("needs") for call in mark.args)

    # Tests of calls that a version does not have are not its tests.
    kept = [item for item in items if fits(item)]
    # The look at what was called comes last.
    kept.sort(key=lambda item: item.name == "test_every_public_call_was_made")
    config.hook.pytest_deselected(items=[item for item in items if item not in kept])
    items[:] = kept


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    report = yield
    if call.when == "setup":
        LEDGER.current.clear()
    if report.failed:
        LEDGER.test_failed(item.name)
    return report


def pytest_terminal_summary(terminalreporter, config) -> None:
    import surface

    version = config.getoption("--sdk")
    terminalreporter.write_line(f"calls of syfthub-sdk {version}:")
    for line in LEDGER.lines():
        terminalreporter.write_line(f"  {line}")
    if config.getoption("--ledger"):
        elsewhere = {call: why for call in sorted(surface.calls()) if (why := surface.elsewhere(call))}
        LEDGER.save(config.getoption("--ledger"), version, elsewhere)


@pytest.fixture(scope="session")
def ledger() -> Ledger:
    return LEDGER


@pytest.fixture(scope="session")
def hub(request):
    database = request.config.getoption("--database")
    settings = {"DATABASE_URL": database} if database else {}
    hub = Hub(NATS_AUTH_TOKEN="a shared word of the tunnel 1", WALLET_PROVIDER="mock", **settings)
    yield hub
    hub.stop()


@pytest.fixture(scope="session")
def mailbox():
    box = Mailbox()
    yield box
    box.stop()


@pytest.fixture(scope="session")
def mail_hub(mailbox):
    hub = Hub(
        MAIL_PROVIDER="smtp", SMTP_HOST="127.0.0.1", SMTP_PORT=str(mailbox.port), SMTP_TLS="none", SMTP_FROM_EMAIL="hub@example.com"
    )  # fmt: skip
    yield hub
    hub.stop()


NUMBERS = itertools.count(1)


@pytest.fixture
def connect(hub, ledger):
    """Makes clients of this SDK, of nobody yet."""
    import surface

    def make(of=hub, **options) -> Driver:
        return Driver(surface.client_class()(base_url=of.url, **options), ledger)

    return make


@pytest.fixture
def join(connect):
    """Makes clients of new users who have signed in."""

    def make(stem: str = "ada") -> Driver:
        driver = connect()
        name = f"{stem}-{next(NUMBERS)}"
        driver.email = f"{name}@example.com"
        made = driver("auth.register", username=name, email=driver.email, password=PASSWORD, full_name=stem.title())
        user = getattr(made, "user", made)
        assert user.username == name
        driver.name, driver.id = name, user.id
        driver("auth.login", username=name, password=PASSWORD)
        return driver

    return make


@pytest.fixture
def ada(join) -> Driver:
    return join("ada")


@pytest.fixture(scope="session")
def library(hub) -> dict:
    """A user whose node serves a data source and a model."""
    owner = hub.register("librarian")
    hub.publish_node(owner["access_token"], DOCUMENTS, "field-notes")
    return {"owner": "librarian", "source": "librarian/field-notes", "model": "librarian/field-notes-model"}


@pytest.fixture
def errors():
    """The exceptions of this SDK."""
    import syfthub_sdk.exceptions as exceptions

    return exceptions
