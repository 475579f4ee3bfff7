"""Forecasts and momentum to positions: scores, sizing, limits, the paper portfolio."""
