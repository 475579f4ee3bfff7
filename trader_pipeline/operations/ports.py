"""Whether a port can be bound."""

import socket

from trader_pipeline.errors import PortInUseError


def require_free_port(host: str, port: int) -> None:
    """Raise `PortInUseError` when `host:port` cannot be bound."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise PortInUseError(
                f"{host}:{port} is in use ({error.strerror}); pass --port with another, or end the program that listens there"
            ) from error
