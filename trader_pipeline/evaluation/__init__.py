"""Out-of-fold forecasts to calibration, scorecard and leak alarm."""
