"""What the image, Compose and Kubernetes start is what the command line takes, and what they ask is there."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from flagconsole.cli.commands.serve import serve
from flagconsole.server.public_routes import router

ROOT = Path(__file__).resolve().parents[1]
DOCKERFILE = (ROOT / "Dockerfile").read_text()
VERSION = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
yaml = YAML(typ="safe")


def manifest(kind):
    documents = list(yaml.load_all((ROOT / "docs/examples/kubernetes/flagconsole.yaml").read_text()))
    (found,) = [document for document in documents if document["kind"] == kind]
    return found


SERVER = manifest("Deployment")["spec"]["template"]["spec"]["containers"][0]
COMPOSE = yaml.load((ROOT / "compose.yaml").read_text())["services"]
COMMANDS = {
    "Dockerfile": json.loads(re.search(r"^CMD (\[.*\])", DOCKERFILE, re.M)[1]),
    "compose.yaml": COMPOSE["server"]["command"],
    "Kubernetes": SERVER["args"],
}


@pytest.mark.parametrize("place", COMMANDS)
def test_the_server_is_started_with_options_that_it_takes(place):
    command, *arguments = COMMANDS[place]
    assert command == "serve"
    parameters = serve.make_context("serve", list(arguments)).params
    assert (parameters["host"], parameters["port"]) == ("0.0.0.0", 8765)


def test_the_settings_in_the_environment_are_read_by_somebody():
    named = set(re.findall(r"FLAGCONSOLE_[A-Z_]+", DOCKERFILE)) | {
        *COMPOSE["server"]["environment"],
        *(variable["name"] for variable in SERVER["env"]),
    }
    code = "".join(file.read_text() for file in (ROOT / "src").rglob("*.py"))
    # The names are put together of a prefix and what the command line lists.
    assert {name for name in named if name.startswith("FLAGCONSOLE_")} == {"FLAGCONSOLE_STORE"}
    assert '"STORE"' in code
    assert "FLAGCONSOLE_{name}" in code


def test_probes_ask_for_what_the_server_answers_without_a_key():
    asked = {SERVER[probe]["httpGet"]["path"] for probe in ("startupProbe", "readinessProbe", "livenessProbe")}
    asked |= set(re.findall(r"http://127\.0\.0\.1:8765(/\w+)", DOCKERFILE))
    assert asked == {"/health", "/metrics"}
    assert asked <= {route.path for route in router.routes}


def test_no_secret_is_in_a_file():
    text = (ROOT / "compose.yaml").read_text()
    assert (
        re.findall(r"PASSWORD: (.*)", text)
        == ["${FLAGCONSOLE_DATABASE_PASSWORD:?choose one, in the environment or in .env}"] * 2
    )
    assert all("value" not in variable for variable in SERVER["env"])


def test_the_image_of_kubernetes_is_of_this_version():
    assert SERVER["image"] == f"flagconsole:{VERSION}"


def test_the_image_is_built_of_what_is_let_in():
    let_in = set(re.findall(r"^!(\S+)", (ROOT / ".dockerignore").read_text(), re.M))
    copied = {name for line in re.findall(r"^COPY (?!--)(.*) \S+$", DOCKERFILE, re.M) for name in line.split()}
    assert copied == let_in
