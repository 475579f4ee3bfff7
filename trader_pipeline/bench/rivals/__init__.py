"""The same features from the same market by four engines: ours, pyqlib, DuckDB SQL, pandas. Each runs in a process of its own."""

F14 = ("KMID", "KLEN", "ROC5", "ROC20", "MA5", "MA20", "MA60", "STD20", "BETA20", "MAX20", "MIN20", "RSV20", "CORR20", "VMA20")
"""The 14 factors of the task in Qlib's README, by their names in Alpha158."""
