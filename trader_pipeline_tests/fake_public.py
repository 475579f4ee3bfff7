"""The hosts of public files on 127.0.0.1: CBOE, Ken French's library, the S&P 500's members on GitHub.

`files[path]` is what is served, to begin with the figures of resources/public_files.json.
"""

import io
import json
import zipfile
from pathlib import Path

from trader_pipeline_tests.fake_server import HTML, Reply
from trader_pipeline_tests.fake_vendor import CSV, ZIP, FakeVendor

VIX = "/api/global/us_indices/daily_prices/VIX_History.csv"
FIVE_FACTORS = "/pages/faculty/ken.french/ftp/F-F_Research_Data_5_Factors_2x3_daily_CSV.zip"
MOMENTUM = "/pages/faculty/ken.french/ftp/F-F_Momentum_Factor_daily_CSV.zip"
MEMBERS = "/fja05680/sp500/master/sp500_ticker_start_end.csv"
RECORDED = json.loads((Path(__file__).parent / "resources" / "public_files.json").read_text())


def zipped(**files):
    """Return a zip of the files, always the same bytes; `_csv` of a name stands for its ending."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name, content in files.items():
            archive.writestr(zipfile.ZipInfo(name.replace("_csv", ".csv")), content, zipfile.ZIP_DEFLATED)
    return packed.getvalue()


class FakePublic(FakeVendor):
    def __init__(self, **options):
        self.files = {
            VIX: RECORDED["vix"],
            FIVE_FACTORS: zipped(five_csv=RECORDED["five_factors"]),
            MOMENTUM: zipped(momentum_csv=RECORDED["momentum"]),
            MEMBERS: RECORDED["members"],
        }
        super().__init__(**options)

    def route(self, path, query, headers):  # noqa: ARG002 - files have neither
        if path not in self.files:
            return Reply(status=404, body="404: Not Found", content_type=HTML)
        return Reply(body=self.files[path], content_type=ZIP if path.endswith(".zip") else CSV)
