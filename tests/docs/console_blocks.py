"""Console blocks of a page: what is typed after ``$``, and what is answered below it.

``…`` in an answer stands for anything in its line, a line that is only ``…`` for any lines. A command without an answer
may say what it likes. ``# exit code 4`` behind a command says how it ends, if not with 0. Ids such as ``key-0d77532f8569``
stand for the one that is given at that place of the answer, from there on, and times like ``38 ms`` for any.
Pipes stand outside of quotes. A block below ``<!-- file: NAME -->`` is a file of that name. What isn't run is listed in ``pages.py``.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from shlex import shlex, split
from string import Template
from typing import NamedTuple


class Said(NamedTuple):
    """How a command ended, what it printed and what it told."""

    code: int = 0
    out: str = ""
    err: str = ""


#: Runs ``flagconsole`` with these arguments and this environment.
Flagconsole = Callable[[list[str], Mapping[str, str]], Said]

#: Ids that are made up each time: those on a page stand for those that are really given.
_ID = re.compile(r"\b(?:(?:key|appr|glass|sched)-[0-9a-f]{12}|\d+-[0-9a-f]{16}-[0-9a-f]{16})\b")
_MILLISECONDS = re.compile(r"\d+\\ ms\b")

_BLOCK = re.compile(r"^(?:<!-- (file|run|see): (.+?) -->\n)?```(\w*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
_CODE = re.compile(r"\s+# exit code (\d+)$")


class NotHere(Exception):
    """A program besides ours that a page uses, and that isn't on this machine."""


class Block(NamedTuple):
    """A fenced block with the comment above it: its kind (``file``, ``run`` or ``see`` for ``scripts/walk-docs``, or nothing) and its text."""

    kind: str
    comment: str
    language: str
    text: str


@dataclass
class Step:
    """One command, the exit code that it should have, and the lines that it should print (None: any)."""

    command: str
    code: int = 0
    answer: list[str] | None = None


def blocks(page: Path) -> list[Block]:
    """All fenced blocks of a page, in its order."""
    return [Block(kind, comment, language, text) for kind, comment, language, text in _BLOCK.findall(page.read_text())]


def steps(text: str) -> Iterator[Step]:
    """The commands of a console block. A backslash at the end continues one on the next line."""
    step: Step | None = None
    for line in text.replace("\\\n", "").splitlines():
        if line.startswith("$ "):
            if step is not None:
                yield step
            code = _CODE.search(line)
            step = Step(_CODE.sub("", line[2:]), int(code[1]) if code else 0)
        else:
            assert step is not None, f"an answer to no command: {line}"
            step.answer = [*(step.answer or []), line]
    if step is not None:
        yield step


def differences_filled_in(answer: list[str], said: str) -> dict[str, str] | None:
    """None where what was said isn't the answer of the page; else which id was given for which of the page's."""
    ids: list[str] = []

    def words(text: str) -> str:
        parts = []
        for part in re.split(f"({_ID.pattern})", text):
            if not _ID.fullmatch(part):
                parts.append(_MILLISECONDS.sub(r"[\\d,]+\\ ms", re.escape(part)))
            elif part in ids:
                parts.append(rf"(?P=id{ids.index(part)})")
            else:
                ids.append(part)
                parts.append(rf"(?P<id{len(ids) - 1}>{_ID.pattern})")
        return "".join(parts)

    pattern = "".join(
        r"(?:.*\n)*?" if line.strip() == "…" else ".*?".join(map(words, line.rstrip().split("…"))) + r" *\n"
        for line in answer
    )
    found = re.fullmatch(pattern, said if said.endswith("\n") or not said else said + "\n")
    return None if found is None else {name: found[f"id{number}"] for number, name in enumerate(ids)}


@dataclass
class Typist:
    """Types a page's commands, in a folder, with an environment that ``export`` adds to."""

    flagconsole: Flagconsole
    folder: Path
    environment: dict[str, str]
    #: What stands on the page, and what it is here.
    here: dict[str, str]

    #: What reads the files that no command on the page does, by their names. Raises where it can't.
    readers: Mapping[str, Callable[[Path], object]] = field(default_factory=dict)

    def type_page(self, page: Path, typed: Iterable[Block]) -> None:
        """Type these blocks of it. Raises ``AssertionError`` with command and answer where an answer isn't the page's, and ``NotHere``."""
        for block in typed:
            if block.kind == "file":
                self._save(block)
                continue
            assert block.language == "console", f"{page.name}: neither run nor said why not:\n{block.text}"
            for step in steps(block.text):
                self._type(page, step)

    def _save(self, block: Block) -> None:
        file = self.folder / block.comment
        file.parent.mkdir(exist_ok=True)
        file.write_text(self._of_here(block.text))
        if file.name in self.readers:
            self.readers[file.name](file)

    def _type(self, page: Path, step: Step) -> None:
        said = self._answer(self._of_here(step.command))
        told = f"{page.name}: $ {step.command}\n(exit code {said.code})\n{said.out}{said.err}"
        assert said.code == step.code, told
        if step.answer is not None:
            given = differences_filled_in([self._of_here(line) for line in step.answer], said.out + said.err)
            assert given is not None, told
            self.here |= given

    def _of_here(self, text: str) -> str:
        for written, real in self.here.items():
            text = text.replace(written, real)
        return text

    def _answer(self, command: str) -> Said:
        if command.startswith("export "):
            name, _, value = command.removeprefix("export ").partition("=")
            self.environment[name] = Template("".join(split(value))).substitute(self.environment)
            return Said()
        kept = re.fullmatch(r"(\w+)=\$\((.*)\)", command)
        if kept:
            said = self._answer(kept[2])
            self.environment[kept[1]] = said.out.strip()
            return said
        own, rest = _before_the_pipe(command)
        words, environment = split(own, comments=True), dict(self.environment)
        while re.match(r"\w+=", words[0]):
            name, _, value = words.pop(0).partition("=")
            environment[name] = Template(value).substitute(self.environment)
        if words[0] not in ("flagconsole", "thorbis-flags"):
            return self._shell(command, "")
        said = self.flagconsole([Template(word).safe_substitute(self.environment) for word in words[1:]], environment)
        return self._shell(f"cat {rest}", said.out) if rest and not said.code else said

    def _shell(self, command: str, stdin: str) -> Said:
        for program in (part.split()[0] for part in re.split(r"\s\|\s(?=[a-z])", command)):
            if shutil.which(program) is None:
                raise NotHere(program)
        done = subprocess.run(
            ["bash", "-c", command], input=stdin, cwd=self.folder, env=self.environment, capture_output=True, text=True
        )
        return Said(done.returncode, done.stdout, done.stderr)


def _before_the_pipe(command: str) -> tuple[str, str]:
    """The words up to the first unquoted ``|`` or ``>``, and the rest with it."""
    lexer = shlex(command, posix=False, punctuation_chars="|>")
    lexer.whitespace_split = True
    lexer.commenters = ""
    seen = 0
    for word in lexer:
        seen = command.index(word, seen)
        if word in ("|", ">"):
            return command[:seen], command[seen:]
        seen += len(word)
    return command, ""
