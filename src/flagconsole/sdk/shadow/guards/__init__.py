"""Guards keep effects from happening in shadow work. Each module is imported by whoever needs it: ``http``, ``connection``,
``session``, ``notification``, ``function``."""
