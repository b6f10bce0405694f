"""The configuration file: which server, which tenant, and the key where no keyring keeps it."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Mapping, MutableMapping
from contextlib import suppress
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import platformdirs

from flagconsole.domain.errors import InvalidInput
from flagconsole.domain.text import safe_text

#: In ``api_key_in``: the key is not in the file but in the operating system's keyring.
KEYRING: Final = "keyring"
#: The file's tables, each read by whoever knows them.
TABLES: Final = ("contexts", "console", "keys")


@dataclass(frozen=True, slots=True)
class Configuration:
    """What is configured. ``api_key_url`` is the server that the key is for: it is sent to no other. ``context`` is the one
    that counts where nothing else is asked for. ``tables`` are the file's tables as they stand, not checked yet."""

    url: str | None = None
    store: str | None = None
    tenant: str | None = None
    api_key: str | None = field(default=None, repr=False)
    api_key_in: str | None = None
    api_key_url: str | None = None
    context: str | None = None
    tables: Mapping[str, Any] = field(default_factory=dict)


def configuration_path() -> Path:
    """Where the file lies (``FLAGCONSOLE_CONFIG`` names another place)."""
    named = os.environ.get("FLAGCONSOLE_CONFIG")
    return Path(named) if named else Path(platformdirs.user_config_dir("flagconsole")) / "config.toml"


def load(path: Path) -> Configuration:
    """What the file says; a missing file says nothing. Raises ``InvalidInput`` naming the file and the key."""
    import tomllib

    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return Configuration()
    except (OSError, ValueError) as error:
        raise InvalidInput(field=str(path), problem="can't be read as TOML", value=safe_text(error, 200)) from None
    texts = {item.name: _text(path, data, item.name) for item in fields(Configuration) if item.name != "tables"}
    return Configuration(**texts, tables={name: data[name] for name in TABLES if name in data})


def _text(path: Path, data: dict[str, Any], name: str) -> str | None:
    value = data.get(name)
    if value is None or isinstance(value, str):
        return value or None
    raise InvalidInput(field=f"{path}: {name}", problem="must be a string", value=safe_text(value, 100))


def save(path: Path, **settings: str | None) -> None:
    """Write these settings into the file, None removes one. Comments and other keys stay; the file is only its owner's."""

    def set_all(document: MutableMapping[str, Any]) -> None:
        for name, value in settings.items():
            if value is None:
                document.pop(name, None)
            else:
                document[name] = value

    change(path, set_all)


def change(path: Path, edit: Callable[[MutableMapping[str, Any]], None]) -> None:
    """Change the file's document by ``edit``. Comments and what isn't touched stay; the file is only its owner's."""
    import tomlkit

    load(path)  # a file that can't be read must not be overwritten
    document = tomlkit.parse(path.read_text(encoding="utf-8")) if path.exists() else tomlkit.document()
    edit(document)
    try:
        _replace(path, tomlkit.dumps(document))
    except OSError as error:
        raise InvalidInput(field=str(path), problem="can't be written", value=safe_text(error.strerror, 100)) from None


def _replace(path: Path, text: str) -> None:
    """Replace the file in one step, so that a crash leaves the old or the new one; mode 0600 from the start."""
    path = path.resolve()  # a link to the file (dotfiles) stays a link
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        with suppress(OSError):
            os.unlink(temporary)
        raise


def server_url(value: str, name: str = "url") -> str:
    """``value`` as the address of a server, without a slash at its end. Raises ``InvalidInput``."""
    problem = "must be like https://flags.example.com"
    try:
        parts = urlsplit(value.strip())
        port = parts.port
    except ValueError:
        raise InvalidInput(field=name, problem=problem, value=safe_text(value, 200)) from None
    if parts.scheme not in {"http", "https"} or not parts.hostname or not value.isprintable() or " " in value.strip():
        raise InvalidInput(field=name, problem=problem, value=safe_text(value, 200))
    if "@" in parts.netloc:
        raise InvalidInput(field=name, problem="must not hold a user or password", value=f"{parts.scheme}://…")
    if parts.query or parts.fragment:
        raise InvalidInput(field=name, problem="must not have a query or fragment", value=safe_text(value, 200))
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    return f"{parts.scheme}://{host}{'' if port is None else f':{port}'}{parts.path.rstrip('/')}"


def is_in_clear(url: str) -> bool:
    """Whether a key sent to this server could be read on the way."""
    parts = urlsplit(url)
    return parts.scheme == "http" and parts.hostname not in {"localhost", "127.0.0.1", "::1"}
