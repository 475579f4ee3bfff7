"""The dashboard as a process of its own."""

import socket
from collections.abc import Callable

import uvicorn

from trader_pipeline.dashboard.app import create_app
from trader_pipeline.errors import PortInUseError
from trader_pipeline.settings import Settings


def bind(host: str, port: int) -> socket.socket:
    """Return a listening socket; raise `PortInUseError` when the port is taken. Port 0 takes any free one."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise PortInUseError(
            f"{host}:{port} is in use ({error.strerror}); pass --port with another or set TRADER_SERVE__PORT, "
            "or end the program that listens there"
        ) from error
    return listener


def serve(settings: Settings, *, sessions_needed: int | None = None, ready: Callable[[], None] | None = None) -> None:
    """Serve the dashboard until interrupted; call `ready` once the port is bound. Raises `PortInUseError`."""
    listener = bind(settings.serve.host, settings.serve.port)
    config = uvicorn.Config(
        create_app(settings, sessions_needed=sessions_needed), log_level="warning", server_header=False, access_log=False
    )
    if ready:
        ready()
    uvicorn.Server(config).run(sockets=[listener])
