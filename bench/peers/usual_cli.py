"""The usual way to write a command line: typer, httpx, pydantic, rich. Lists the flags of the server at ``FLAGCONSOLE_URL``."""

import os

import httpx
import typer
from pydantic import BaseModel
from rich.console import Console
from rich.table import Table

app = typer.Typer()


class Flag(BaseModel):
    flag_name: str
    current_state: str
    canary_percentage: int
    description: str


class Flags(BaseModel):
    flags: list[Flag]


@app.command("list")
def list_flags():
    """List the flags."""
    headers = {"Authorization": f"Bearer {os.environ['FLAGCONSOLE_API_KEY']}"}
    answer = httpx.get(os.environ["FLAGCONSOLE_URL"] + "/api/flags", headers=headers)
    answer.raise_for_status()
    table = Table("flag", "state", "%", "description")
    for flag in Flags.model_validate_json(answer.content).flags:
        table.add_row(flag.flag_name, flag.current_state, str(flag.canary_percentage), flag.description)
    Console().print(table)


@app.command()
def get(name: str):
    """Show a flag."""


if __name__ == "__main__":
    app()
