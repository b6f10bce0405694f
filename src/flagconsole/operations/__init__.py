"""The use cases, each one transaction. The server's routes and the embedded command line call ``Operations``; nobody
else changes a flag."""
