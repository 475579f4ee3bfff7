"""Members' forecasts to one: weights and their combination."""
