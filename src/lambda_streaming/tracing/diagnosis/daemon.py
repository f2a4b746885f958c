"""Whether anybody listens at the X-Ray daemon's UDP address, as far as UDP can tell."""

from __future__ import annotations

import socket

_WAIT_SECONDS = 0.05
"""For an ICMP "port unreachable" to come back; on one machine it takes microseconds."""


def parse_daemon_address(address: str) -> tuple[str, int]:
    """Where datagrams go: `ip:port`, or the UDP half of `tcp:ip:port udp:ip:port`.

    Raises ValueError for anything else (aws_xray_sdk/core/daemon_config.py has the same forms).
    """
    for part in address.split():
        if part.startswith("udp:") or part.count(":") == 1:
            host, _, port = part.removeprefix("udp:").partition(":")
            return host, int(port)
    raise ValueError("AWS_XRAY_DAEMON_ADDRESS is not of the form ip:port")


def daemon_refuses(address: tuple[str, int]) -> bool:
    """Whether a datagram is refused. False says nothing: most networks drop in silence.

    The datagram is empty, which the daemon passes over (github.com/aws/aws-xray-daemon,
    cmd/tracing/daemon.go, poll). Raises OSError where there is no way there at all.
    """
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.settimeout(_WAIT_SECONDS)
        sock.connect(address)
        try:
            sock.send(b"")
            sock.recv(1)
        except ConnectionRefusedError:
            return True
        except TimeoutError:
            pass
    return False
