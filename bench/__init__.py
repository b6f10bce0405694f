"""Measurements: how fast things are, and how often the judge is wrong. Not tests; run them with ``python -m bench``."""
