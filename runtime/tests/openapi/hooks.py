"""What schemathesis does not know by itself: how a component is sent, and who it is."""

import os

import schemathesis

OWN_ID = os.environ["SELARAS_OWN_ID"]


@schemathesis.serializer("application/wasm")
def component(_context, value):
    if isinstance(value, (bytes, bytearray)):
        return bytes(value)
    return str(value).encode("utf-8", "surrogatepass")


@schemathesis.hook
def before_call(_context, case, *_):
    """It must not remove or change the admin that it asks as: from then on every answer would be a refusal."""
    own = (case.path_parameters or {}).get("id") == OWN_ID
    if own and case.operation.path == "/api/v1/users/{id}":
        case.path_parameters["id"] = "nobody"
