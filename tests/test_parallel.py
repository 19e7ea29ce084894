"""A run that is given up leaves nothing of its processes."""

import threading
import time

from repinf_core import parallel


def _double(seconds):
    time.sleep(seconds)
    return 2 * seconds


def test_a_run_that_is_given_up_leaves_no_thread_that_fed_its_processes():
    # Such a thread that the interpreter's exit cuts off makes loky warn of a leaked semaphore.
    before = threading.enumerate()
    for _ in range(5):
        runs = parallel.outcomes(_double, [0, 60], 2)
        assert next(runs) == (0, 0)
        runs.close()
        assert [thread for thread in threading.enumerate() if thread not in before] == []
