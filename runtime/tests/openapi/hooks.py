"""What schemathesis does not know by itself: how a component is sent."""

import schemathesis


@schemathesis.serializer("application/wasm")
def component(_context, value):
    if isinstance(value, (bytes, bytearray)):
        return bytes(value)
    return str(value).encode("utf-8", "surrogatepass")
