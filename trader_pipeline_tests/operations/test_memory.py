import subprocess
import sys

from trader_pipeline.operations.memory import PeakMemory, tree_rss_bytes


def test_children_are_counted():
    with PeakMemory() as memory:
        code = "import time; block = bytearray(300_000_000); block[::4096] = b'x' * len(block[::4096]); time.sleep(0.6)"
        subprocess.run([sys.executable, "-c", code], check=True)
    assert 300 < memory.peak_mb < 2000


def test_a_process_that_ended_counts_nothing():
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    assert tree_rss_bytes(str(process.pid)) == 0
