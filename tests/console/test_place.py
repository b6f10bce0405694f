"""How a place is called on the bar."""

from __future__ import annotations

from pathlib import Path

from flagconsole.console.place import Place, store_words


def test_a_server_is_called_by_its_address() -> None:
    assert Place("https://flags.example.com:8443", "k").shown == "flags.example.com:8443"


def test_an_embedded_store_by_its_name_and_not_by_a_port_that_changes() -> None:
    at_home = Place("http://127.0.0.1:41234", "k", known_as=f"sqlite:{Path.home()}/flags.db")
    assert at_home.shown == "embedded · sqlite:~/flags.db"
    deep = Place("http://127.0.0.1:41234", "k", known_as=f"sqlite:/{'a-long-folder/' * 5}flags.db")
    assert deep.shown == "embedded · sqlite:…/flags.db"


def test_a_database_without_who_logs_in() -> None:
    assert store_words("postgresql://fc:s3cret@db.internal/flags?sslmode=require") == "postgresql:db.internal/flags"
