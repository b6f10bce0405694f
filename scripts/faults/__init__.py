"""The faults of ``scripts/chaos``, and how it is found out whether a promise broke."""
