import socket

import pytest

from trader_pipeline.dashboard.serve import bind
from trader_pipeline.errors import PortInUseError


def test_a_taken_port_is_named_with_the_mend():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(PortInUseError, match=rf"127\.0\.0\.1:{port} .*TRADER_SERVE__PORT"):
            bind("127.0.0.1", port)


def test_port_0_takes_a_free_one():
    with bind("127.0.0.1", 0) as listener:
        assert listener.getsockname()[1] > 0
