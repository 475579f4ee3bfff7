"""Pages over the newest commit of one lake: predictions, a ticker, data status, the report. Reads only."""
