"""The sheets that rise from the bottom of a screen when something is about to change."""
