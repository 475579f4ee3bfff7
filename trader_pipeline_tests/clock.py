"""Time that only sleeping moves, so that waits can be read off."""


class Clock:
    """Call it for seconds since the epoch; `slept` holds the waits."""

    def __init__(self, now=1_748_896_200.0):
        self.now = now
        self.slept = []

    def __call__(self):
        return self.now

    def sleep(self, seconds):
        self.slept.append(seconds)
        self.now += seconds
