"""The words of the system: frozen models and pure functions. No I/O, no clock, no logging.

Nothing is imported here: the SDK loads single modules of this package, and a cold start should pay only for those.
"""
