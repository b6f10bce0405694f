"""flagconsole: the incident console for feature flags, and the flag store, SDK and rollout system behind it."""

__version__ = "0.1.0"
