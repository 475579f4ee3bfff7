"""Recipe and features to fitted members and out-of-fold forecasts, in a process of its own."""
