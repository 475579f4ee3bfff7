"""Where each feature stands, in Qlib's order: 9 of the candle, 4 price ratios, 29 statistics over each of the windows."""

WINDOWS = (5, 10, 20, 30, 60)
STATISTICS = (
    "roc", "ma", "std", "beta", "rsqr", "resi", "max", "min", "qtlu", "qtld", "rank", "rsv", "imax", "imin", "imxd", "corr", "cord",
    "cntp", "cntn", "cntd", "sump", "sumn", "sumd", "vma", "vstd", "wvma", "vsump", "vsumn", "vsumd",
)  # fmt: skip
CANDLE = 13
COUNT = CANDLE + len(WINDOWS) * len(STATISTICS)
(
    ROC, MA, STD, BETA, RSQR, RESI, MAX, MIN, QTLU, QTLD, RANK, RSV, IMAX, IMIN, IMXD, CORR, CORD,
    CNTP, CNTN, CNTD, SUMP, SUMN, SUMD, VMA, VSTD, WVMA, VSUMP, VSUMN, VSUMD,
) = range(CANDLE, COUNT, len(WINDOWS))  # fmt: skip
"""The row of each statistic's first window."""
