"""The public calls of an SDK, read from its classes, and those that no hub answers."""

import importlib
import inspect
import pkgutil

# Calls that do not come to the hub, each with the reason.
ELSEWHERE = {
    "accounting.": "speaks to an accounting service of its own, not to the hub",
    "agent.": "a WebSocket session through the aggregator, which the hub does not offer yet",
}
# Not requests: what a client knows about itself.
LOCAL = {"close", "get_access_token"}


def client_class():
    return importlib.import_module("syfthub_sdk").SyftHubClient


def classes() -> dict[str, type]:
    """Every class of the package by its name."""
    package = importlib.import_module("syfthub_sdk")
    found = {}
    for module in pkgutil.iter_modules(package.__path__):
        loaded = importlib.import_module(f"syfthub_sdk.{module.name}")
        found.update({name: value for name, value in vars(loaded).items() if inspect.isclass(value)})
    return found


def resources(of: type, prefix: str = ""):
    """The parts of a client: pairs of a path such as `users.aggregators` and a class."""
    known = classes()
    for name, member in vars(of).items():
        if isinstance(member, property):
            annotation = str(inspect.signature(member.fget).return_annotation).strip("'")
            if annotation.endswith("Resource"):
                yield prefix + name, known[annotation]
                yield from resources(known[annotation], f"{prefix}{name}.")


def methods(of: type):
    for name, member in vars(of).items():
        if inspect.isfunction(member) and not name.startswith("_") and name not in LOCAL:
            yield name


def calls() -> set[str]:
    """Every public call, for example `auth.login`."""
    client = client_class()
    found = {name for name in methods(client) if name not in ("get_tokens", "set_tokens")}
    for path, resource in resources(client):
        found |= {f"{path}.{name}" for name in methods(resource)}
    return found


def has(call: str) -> bool:
    return call in calls()


def elsewhere(call: str) -> str | None:
    """Why no test makes this call."""
    return next((why for prefix, why in ELSEWHERE.items() if call.startswith(prefix)), None)
