import subprocess
import sys

from trader_pipeline.operations.memory import tree_rss_bytes

# A process of its own: what else the test process holds, or leaves running, would count as well.
WATCHED = """
import subprocess, sys
from trader_pipeline.operations.memory import PeakMemory, tree_rss_bytes
alone_mb = tree_rss_bytes("self") / 1e6
with PeakMemory() as memory:
    code = "import time; block = bytearray(300_000_000); block[::4096] = b'x' * len(block[::4096]); time.sleep(0.6)"
    subprocess.run([sys.executable, "-c", code], check=True)
print(memory.peak_mb - alone_mb)
"""


def test_children_are_counted_once():
    ran = subprocess.run([sys.executable, "-c", WATCHED], check=True, capture_output=True, text=True)
    assert 300 < float(ran.stdout) < 500


def test_a_process_that_ended_counts_nothing():
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    assert tree_rss_bytes(str(process.pid)) == 0
