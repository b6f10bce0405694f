"""The terminal console. ``entry.run_console`` starts it; nothing is loaded before it is called."""
