"""Loaded by the fuzzer: what good passwords and addresses look like, and ways around two of its faults."""

import string

import schemathesis
from hypothesis import strategies

from schemathesis.engine import observations
from schemathesis.specs.openapi import expressions

LETTERS = string.ascii_letters + string.digits

# A letter and a digit at least, which is not worth a pattern that people cannot read.
schemathesis.openapi.format("password", strategies.text(LETTERS, min_size=6, max_size=100).map(lambda text: text + "a1"))
# Addresses of services, of a kind that the hub may be told.
schemathesis.openapi.format(
    "uri", strategies.text(string.ascii_lowercase, min_size=1, max_size=20).map(lambda name: f"https://{name}.example.org")
)

_original = observations._same_origin_path


def _same_origin_path(value, origin):
    # Values that look like an address but are none (brackets in the host) end the whole run otherwise.
    try:
        return _original(value, origin)
    except ValueError:
        return None


observations._same_origin_path = _same_origin_path

_resolve = expressions.resolve_pointer_all


def _without_null(document, pointer):
    # Where one row of an answer has an id and another has null, it would ask for the path `/users/None`.
    found = _resolve(document, pointer)
    return [value for value in found if value is not None] if isinstance(found, list) else found


expressions.resolve_pointer_all = _without_null
