"""The whole answer of a function, as a caller of Invoke and a door that buffers get it."""

from __future__ import annotations

from local_aws.lambda_side.invocation import InvocationFailedError, Outcome, Relay
from local_aws.lambda_side.runtime_api import MAX_PAYLOAD_BYTES


async def whole_payload(relay: Relay, *, max_bytes: int = MAX_PAYLOAD_BYTES) -> bytes:
    """Every byte that the function sends. A streamed answer is taken too, up to the same size, and
    nothing is taken out of it: its prelude and the eight NULs stand before its body
    (aws-lambda-runtime-interface-emulator, internal/lambda/core/directinvoke).

    Raises InvocationFailedError.
    """
    await relay.head()
    payload = bytearray()
    while chunk := await relay.read():
        payload += chunk
        if len(payload) > max_bytes:
            await relay.detach()
            raise InvocationFailedError(Outcome.TOO_LARGE)
    return bytes(payload)
