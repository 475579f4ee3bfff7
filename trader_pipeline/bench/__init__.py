"""Commands that measure: what a stage costs on a market of a given size. Each prints one JSON object."""
