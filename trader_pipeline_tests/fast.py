"""How tests ask a vendor on loopback: no pace to speak of, short waits, and no patience with a dead one."""

FAST = {"requests_per_hour": 3_600_000, "burst": 100, "backoff_seconds": 0.001, "outage_patience_seconds": 0}
