"""Follows a page of the documentation as its reader would, word by word."""
