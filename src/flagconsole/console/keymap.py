"""The one key map. Footer, help and palette are made from it, and a key does something only because it stands here.

Keys are bound to command ids, so that they can be remapped (``KeyMap.remapped``). Upper case changes the world, lower case
looks. A command that the role, ``--readonly`` or a lost connection forbids is *removed*, not greyed out.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum
from typing import Final, NamedTuple

from flagconsole.domain.errors import InvalidInput


class Needs(StrEnum):
    """What must be so for a command to exist."""

    NOTHING = "nothing"
    OPERATOR = "operator"
    ADMIN = "admin"
    OFFLINE = "offline"
    WARNED = "warned"
    ARM = "arm"
    PAST = "past"


class Powers(NamedTuple):
    """What the user can do at the moment. ``arm``: a kill can be armed, or one is."""

    operate: bool = False
    administer: bool = False
    offline: bool = False
    warned: bool = False
    arm: bool = False
    past: bool = False

    def allow(self, needs: Needs) -> bool:
        """Whether a command with these needs exists."""
        match needs:
            case Needs.OPERATOR:
                return self.operate
            case Needs.ADMIN:
                return self.administer
            case Needs.OFFLINE:
                return self.offline
            case Needs.WARNED:
                return self.warned
            case Needs.ARM:
                return self.arm
            case Needs.PAST:
                return self.past
            case Needs.NOTHING:
                return True


class Command(NamedTuple):
    """One thing that a key does.

    ``context`` is where (a screen, a sheet; ``everywhere`` means on each screen). ``group`` and ``help`` are for the help;
    ``label`` for the footer, empty where it isn't shown there; ``words`` call it from the palette. The first of ``keys`` is
    shown. Of several that don't fit in a footer the one with the highest ``spare`` goes first, 0 never. The argument of a
    ``numbered`` command is the number of the key that was pressed among its keys, from 1.
    """

    id: str
    keys: tuple[str, ...]
    context: str
    label: str
    help: str
    group: str = "see"
    needs: Needs = Needs.NOTHING
    words: tuple[str, ...] = ()
    spare: int = 0
    numbered: bool = False

    def argument_of(self, key: str) -> str:
        """What the command is told when ``key`` calls it."""
        return str(self.keys.index(key) + 1) if self.numbered else ""


_KEY_NAMES: Final = {
    "enter": "⏎",
    "escape": "Esc",
    "up": "↑",
    "down": "↓",
    "left": "←",
    "right": "→",
    "pageup": "PgUp",
    "pagedown": "PgDn",
    "home": "Home",
    "end": "End",
    "tab": "Tab",
    "shift+down": "⇧↓",
    "shift+up": "⇧↑",
}


def key_name(key: str) -> str:
    """A key as people call it: ``⏎``, ``Esc``, ``PgUp``, ``^C``."""
    return f"^{key[5:].upper()}" if key.startswith("ctrl+") else _KEY_NAMES.get(key, key)


def _row_keys(context: str) -> tuple[Command, ...]:
    return (
        Command(f"{context}.down", ("j", "down"), context, "", "next row", "move"),
        Command(f"{context}.up", ("k", "up"), context, "", "previous row", "move"),
        Command(f"{context}.page_down", ("pagedown",), context, "", "a page down", "move"),
        Command(f"{context}.page_up", ("pageup",), context, "", "a page up", "move"),
        Command(f"{context}.first", ("g", "home"), context, "", "first row", "move"),
        Command(f"{context}.last", ("G", "end"), context, "", "last row", "move"),
    )


_ACTIONS: Final = (
    Command("kill", ("K",), "flag", "kill", "kill a flag for everyone: K, a digit for the reason, Y", "act", Needs.OPERATOR, ("kill",)),
    Command("rollback", ("R",), "flag", "rollback", "roll back, by a playbook or its newest change: R, a digit, Y", "act", Needs.OPERATOR,
            ("rollback",)),
    Command("promote", ("P",), "flag", "promote", "take its rollout to the next phase: P, a digit, Y", "act", Needs.OPERATOR,
            ("promote",), 2),
    Command("hold", ("H",), "flag", "hold", "hold its rollout, resume or end it: H, a digit, Y", "act", Needs.OPERATOR,
            ("hold", "resume", "abort"), 2),
    Command("override", ("O",), "flag", "override", "give one tenant its own state: O, a digit, Y", "act", Needs.OPERATOR,
            ("override",), 4),
    Command("set", ("S",), "flag", "set", "set its state: S, a value, a digit, Y", "act", Needs.ADMIN, ("set",), 4),
    Command("start", ("B",), "flag", "begin rollout", "begin a rollout by a plan: B, a digit, Y", "act", Needs.ADMIN,
            ("start", "begin"), 5),
    Command("revive", ("V",), "flag", "revive", "clear a kill, to off: V, a digit, Y (in production its name typed)", "act", Needs.ADMIN,
            ("revive",), 3),
    Command("undo", ("U",), "flag", "undo", "undo your newest action, within 60 s: U, a digit, Y", "act", Needs.OPERATOR,
            ("undo",), 4),
)  # fmt: skip

COMMANDS: Final[tuple[Command, ...]] = (
    *_ACTIONS,
    Command("canary", ("enter",), "rows", "canary", "its rollout: phases, criteria, charts", words=("canary", "rollout")),
    Command("detail", ("d",), "about", "detail", "all about the flag", words=("detail", "get", "describe")),
    Command("history", ("h",), "look", "history", "its changes", words=("history",), spare=1),
    Command("history_all", ("l",), "look", "all changes", "all changes of all flags, as 4", words=("audit", "changes"), spare=3),
    Command("tenant", ("t",), "look", "tenant", "what a tenant gets, and why", words=("tenant",),
            spare=2),
    Command("filter", ("/",), "filterable", "filter", "filter: pos !ai state:canary",
            words=("filter",), spare=1),
    Command("clear", ("escape",), "fleet", "", "drop the filter, the tenant"),
    Command("problem", ("!",), "fleet", "next problem", "next flag that needs attention", words=("problem", "attention"),
            spare=1),
    Command("order", ("s",), "fleet", "", "sort: last change, urgency, name, state", words=("sort", "order")),
    *_row_keys("fleet"),
    *_row_keys("list"),
    Command("list.more", ("}", "shift+down"), "list", "more", "scroll what is said of the row: down", "move", spare=3),
    Command("list.less", ("{", "shift+up"), "list", "", "scroll what is said of the row: up", "move"),
    Command("list.escape", ("escape",), "list", "", "drop the filter, else the previous screen", "move"),
    Command("back", ("-",), "list", "back", "previous screen", "move", spare=1),
    Command("leave", ("ctrl+c",), "list", "", "leave the console", "move"),
    Command("go.fleet", ("1",), "go", "", "the fleet", words=("fleet", "flags")),
    Command("go.canary", ("2",), "go", "", "the rollout of the flag that is shown"),
    Command("incidents", ("i",), "look", "incidents", "the flag's incident: what was stopped, and its playbook", spare=2),
    Command("go.incidents", ("3",), "go", "", "all incidents", words=("incidents",)),
    Command("incident.confirm", ("C",), "incidents", "confirm", "say what you found of a step that waits", "act", Needs.OPERATOR),
    Command("incident.close", ("X",), "incidents", "close", "close it with its root cause", "act", Needs.OPERATOR),
    Command("incident.export", ("e",), "incidents", "export", "its report as Markdown into a file; y copies it", spare=4),
    Command("go.history", ("4",), "go", "", "the log of all changes", words=("audit", "changes")),
    Command("go.instances", ("5",), "go", "", "running SDKs: who is behind", words=("instances", "sdks")),
    Command("go.tenants", ("6",), "go", "", "tenants: who they are, what they get", words=("tenants",)),
    Command("go.shadow", ("7",), "go", "", "what runs in shadow", words=("shadow",)),
    Command("go.approvals", ("8",), "go", "", "what waits for a second person", words=("approvals",)),
    Command("go.reviews", ("9",), "go", "", "emergency rights that were taken, and reviews", words=("reviews",)),
    Command("approval.allow", ("A",), "approvals", "allow", "allow what somebody else asked for: A, then Y or the name",
            "act", Needs.ADMIN, ("allow", "approve")),
    Command("approval.decline", ("D",), "approvals", "decline", "decline what was asked for, or take consent back: D, a digit, Y",
            "act", Needs.ADMIN, ("decline",), 1),
    Command("grant.review", ("C",), "reviews", "reviewed", "you have looked at what was done: C, a digit, Y", "act", Needs.ADMIN),
    Command("around", ("@",), "timed", "around", "changes nearest to a time: 03:14, 20m", words=("around",), spare=2),
    Command("verify", ("v",), "history", "verify", "check the whole log's hash chain", words=("verify",), spare=3),
    Command("watch", ("enter",), "tenants", "watch", "show this tenant's states in the fleet"),
    Command("scope", ("tab",), "history", "flag / all", "changes of this flag, or of all"),
    Command("history.flag", ("h",), "history", "", "changes of the flag under the cursor"),
    Command("history.all", ("l",), "history", "", "changes of all flags"),
    Command("mark", ("m",), "history", "mark", "choose the change; R then undoes all chosen ones as one set",
            needs=Needs.OPERATOR, spare=1),
    Command("older", ("o",), "history", "older", "fetch older changes", spare=2),
    Command("tab", ("1", "2", "3", "4", "5", "6", "7", "8"), "detail", "tab",
            "rules cohort overrides dependents instances versions JSON test", words=("tab",), numbered=True),
    Command("next_tab", ("tab",), "detail", "", "next tab"),
    Command("detail.down", ("j", "down"), "detail", "", "scroll down", "move"),
    Command("detail.up", ("k", "up"), "detail", "", "scroll up", "move"),
    Command("detail.page_down", ("pagedown",), "detail", "", "a page down", "move"),
    Command("detail.page_up", ("pageup",), "detail", "", "a page up", "move"),
    Command("next_flag", ("n",), "detail", "next", "next flag of the table", "move", spare=2),
    Command("previous_flag", ("p",), "detail", "previous", "previous flag of the table", "move", spare=2),
    Command("detail_back", ("-", "escape"), "detail", "back", "previous screen", "move"),
    Command("chart.next", ("tab",), "canary", "chart", "next chart", spare=3),
    Command("chart.less", ("[",), "canary", "] window", "shorter window", spare=3),
    Command("chart.more", ("]",), "canary", "", "longer window"),
    Command("chart.zoom", ("z",), "canary", "zoom", "the chart over the whole screen", spare=2),
    Command("rollout.next", ("n",), "canary", "next", "next rollout", "move", spare=3),
    Command("rollout.previous", ("p",), "canary", "", "previous rollout", "move"),
    Command("canary_back", ("-", "escape"), "canary", "back", "previous screen", "move", spare=1),
    Command("canary_leave", ("ctrl+c",), "canary", "", "leave the console", "move"),
    Command("zoom.next", ("tab",), "zoom", "next chart", "next chart"),
    Command("zoom.less", ("[",), "zoom", "shorter", "shorter window"),
    Command("zoom.more", ("]",), "zoom", "longer", "longer window"),
    Command("zoom.copy", ("y",), "zoom", "copy as text", "copy the chart as text"),
    Command("zoom.close", ("z", "escape", "q", "-", "ctrl+c"), "zoom", "close", "back to the dashboard", "move"),
    Command("reconnect", ("r",), "everywhere", "retry", "try the connection now", needs=Needs.OFFLINE,
            words=("reconnect",)),
    Command("arm", ("a",), "flag", "kill later", "arm a kill: decide now, asked again when the connection is back",
            needs=Needs.ARM, words=("arm",)),
    Command("break_glass", ("b",), "flag", "by hand", "kill by hand: the command that kills this flag from another machine",
            needs=Needs.OFFLINE, words=("break-glass",)),
    Command("environment", (), "everywhere", "", "another context", words=("env", "context")),
    Command("settings", (), "everywhere", "", "settings: place, theme, cache, terminal", words=("settings", "config")),
    *_row_keys("settings"),
    Command("settings.change", ("enter",), "settings", "change", "change what can be changed"),
    Command("settings.back", ("-", "escape"), "settings", "back", "previous screen", "move"),
    Command("settings.leave", ("ctrl+c",), "settings", "", "leave the console", "move"),
    Command("travel", ("T",), "everywhere", "", "time travel: the fleet at an earlier change, from the cache",
            words=("travel", "at")),
    Command("seen", ("c",), "look", "", "mark all that is new as seen", words=("seen",)),
    Command("dismiss", ("x",), "everywhere", "", "put the warning in the banner away", needs=Needs.WARNED),
    Command("copy", ("y",), "everywhere", "", "copy the flag's name, or what is shown", words=("copy",)),
    Command("theme", (), "everywhere", "", "another theme", words=("theme",)),
    Command("palette", (":",), "everywhere", "go", "command palette", words=()),
    Command("help", ("?",), "everywhere", "help", "this help", words=("help",)),
    Command("quit", ("q", "ctrl+c"), "fleet", "quit", "leave the console", "move",
            words=("quit", "q"), spare=2),
    Command("detail_leave", ("ctrl+c",), "detail", "", "leave the console", "move"),
    # sheets and boxes: while one is open, only its own keys count
    Command("sheet.reason", ("1", "2", "3", "4", "5", "6"), "confirm", "reason", "choose the reason", "act",
            numbered=True),
    Command("sheet.confirm", ("Y",), "confirm", "confirm", "do it; counts after a reason, typed by hand", "act"),
    Command("sheet.cancel", ("n", "escape", "ctrl+c"), "confirm", "cancel", "nothing is sent", "move"),
    Command("sheet.less", ("left",), "confirm", "→ value", "the value before", "move", spare=1),
    Command("sheet.more", ("right",), "confirm", "", "next value of the marked field", "move"),
    Command("sheet.next", ("tab", "down"), "confirm", "field", "next field", "move", spare=1),
    Command("sheet.previous", ("shift+tab", "up"), "confirm", "", "the field before", "move"),
    Command("sheet.tick", ("t",), "confirm", "tick", "tick the marked item of the checklist", "act"),
    Command("sheet.tick_all", ("a",), "confirm", "tick all", "tick what is left of the checklist", "act"),
    Command("sheet.past", ("!",), "confirm", "past the verdict", "go on without a pass; the name is typed then", "act"),
    Command("sheet.help", ("?",), "sheet", "", "this help: the sheet stays open behind it", "move"),
    Command("sheet.incident", ("i",), "progress", "incident", "its incident: playbook, tenants, report", "move"),
    Command("sheet.undo", ("U",), "progress", "undo", "take back what was just done here, within 60 s", "act"),
    Command("sheet.again", ("a",), "progress", "look again", "begin anew with the flag as it is now", "move"),
    Command("sheet.word", ("enter",), "typing", "done", "take the typed text", "move"),
    Command("sheet.stop_typing", ("escape", "ctrl+c"), "typing", "cancel", "nothing is sent", "move"),
    Command("sheet.hide", ("x", "escape", "ctrl+c"), "progress", "close", "an action that isn't done goes on in the ledger", "move"),
    Command("choice.take", ("enter",), "choice", "choose", "take the marked one", "move"),
    Command("choice.complete", ("tab",), "choice", "complete", "write the marked one out", "move", spare=1),
    Command("choice.down", ("down",), "choice", "", "next one", "move"),
    Command("choice.up", ("up",), "choice", "", "previous one", "move"),
    Command("choice.close", ("escape", "ctrl+c"), "choice", "close", "leave it as it was", "move"),
    Command("filter.keep", ("enter",), "filtering", "keep", "keep the filter", "move"),
    Command("filter.drop", ("escape", "ctrl+c"), "filtering", "drop", "without filter", "move"),
    Command("filter.down", ("down",), "filtering", "", "next row", "move"),
    Command("filter.up", ("up",), "filtering", "", "previous row", "move"),
    Command("help.search", ("/",), "help", "search", "search the keys of all screens", "move"),
    Command("help.close", ("?", "escape", "q", "-", "ctrl+c"), "help", "close", "back to the screen", "move"),
    Command("help.down", ("j", "down"), "help", "", "scroll down", "move"),
    Command("help.up", ("k", "up"), "help", "", "scroll up", "move"),
    Command("help.page_down", ("pagedown",), "help", "", "a page down", "move"),
    Command("help.page_up", ("pageup",), "help", "", "a page up", "move"),
    # while the past is on screen these count before the screen's own
    Command("travel.back", ("T", "escape"), "travel", "now", "back to now", "move"),
    Command("travel.older", (",",), "travel", "older", "one change back", "move"),
    Command("travel.newer", (".",), "travel", "newer", "one change on", "move"),
    Command("travel.far_older", ("<",), "travel", "", "ten changes back", "move"),
    Command("travel.far_newer", (">",), "travel", "", "ten changes on", "move"),
    Command("armed.send", ("Y",), "armed", "send the kill", "send it now; counts once the sheet was seen", "act"),
    Command("armed.drop", ("n",), "armed", "drop it", "forget it, nothing is sent", "move"),
    Command("armed.diff", ("d",), "armed", "diff", "all that changed since, with its reasons", "move"),
    Command("armed.keep", ("escape", "ctrl+c"), "armed", "keep armed", "close, and keep it until it expires", "move"),
    Command("glass.reason", ("1", "2", "3", "4", "5"), "glass", "reason", "put this reason into the commands", "move",
            numbered=True),
    Command("glass.copy", ("y",), "glass", "copy the command", "copy the command line", "move"),
    Command("glass.curl", ("c",), "glass", "copy the curl", "copy the curl", "move"),
    Command("glass.close", ("escape", "n", "x", "ctrl+c"), "glass", "close", "back to the screen", "move"),
    Command("leaving.yes", ("Y",), "leaving", "leave anyway", "the action goes on at the server", "move"),
    Command("leaving.no", ("n", "escape", "ctrl+c"), "leaving", "stay", "stay here", "move"),
)  # fmt: skip

#: Which contexts' commands a screen or sheet has.
CONTEXTS: Final[Mapping[str, tuple[str, ...]]] = {
    "fleet": ("flag", "rows", "about", "look", "filterable", "go", "timed", "fleet", "everywhere"),
    "history": ("flag", "rows", "about", "list", "filterable", "go", "timed", "history", "everywhere"),
    "instances": ("list", "filterable", "go", "everywhere"),
    "tenants": ("list", "filterable", "go", "tenants", "everywhere"),
    "shadow": ("flag", "rows", "about", "list", "filterable", "go", "everywhere"),
    "incidents": ("flag", "rows", "about", "look", "list", "filterable", "go", "timed", "incidents", "everywhere"),
    "approvals": ("flag", "rows", "about", "look", "list", "filterable", "go", "timed", "approvals", "everywhere"),
    "reviews": ("list", "filterable", "go", "reviews", "everywhere"),
    "canary": ("flag", "about", "look", "go", "timed", "canary", "everywhere"),
    "zoom": ("zoom",),
    "detail": ("flag", "look", "detail", "everywhere"),
    "settings": ("settings", "go", "everywhere"),
    "confirm": ("confirm", "sheet"),
    "typing": ("typing",),
    "progress": ("progress", "sheet"),
    "choice": ("choice",),
    "filtering": ("filtering",),
    "help": ("help",),
    "leaving": ("leaving", "sheet"),
    "travel": ("travel",),
    "armed": ("armed", "sheet"),
    "glass": ("glass", "sheet"),
}

#: Contexts whose commands mean the same on every screen: the palette calls them from all, be there a key for them or not.
ANYWHERE: Final = frozenset({"flag", "rows", "about", "look", "go", "timed", "everywhere"})

#: Commands that are about one flag.
OF_A_FLAG: Final = frozenset(
    [
        "kill",
        "rollback",
        "revive",
        "promote",
        "hold",
        "override",
        "set",
        "start",
        "canary",
        "detail",
        "history",
        "break_glass",
        "arm",
    ]
)

#: Keys that shells and terminals take, and the one that people press without looking.
TAKEN: Final = frozenset({"ctrl+k", "ctrl+d", "ctrl+z", "ctrl+s", "ctrl+q", "space", *(f"f{n}" for n in range(1, 25))})

#: Contexts in which other printable keys are typed text.
TYPING_CONTEXTS: Final = frozenset({"typing", "choice", "filtering"})


class KeyMap:
    """Which key does what, in every context."""

    def __init__(self, commands: Iterable[Command] = COMMANDS) -> None:
        self.commands = tuple(commands)
        self._by_context = {
            context: tuple(command for command in self.commands if command.context in parts)
            for context, parts in CONTEXTS.items()
        }

    def remapped(self, keys: Mapping[str, str | Sequence[str]]) -> KeyMap:
        """A key map with other keys for some command ids. Raises ``InvalidInput`` for an unknown id or a taken key."""
        known = {command.id for command in self.commands}
        for name, value in keys.items():
            if name not in known:
                raise InvalidInput(f"Known are {', '.join(sorted(known))}.", field=f"keys.{name}",
                                   problem="is not a command", value=value)  # fmt: skip
            for key in _as_keys(value):
                if key in TAKEN or not (len(key) == 1 or key.replace("+", "").isalnum()):
                    raise InvalidInput("Write a key as \"K\", \"ctrl+o\" or \"pageup\".", field=f"keys.{name}",
                                       problem="can't be a key here: shells, terminals and people need it", value=key)  # fmt: skip
        changed = KeyMap(
            command._replace(keys=_as_keys(keys[command.id])) if command.id in keys else command
            for command in self.commands
        )
        for context in CONTEXTS:
            clash = changed.clash(context)
            if clash is not None:
                raise InvalidInput(f"In {context} it is taken by {clash[1]}.", field=f"keys.{clash[2]}",
                                   problem="another command has this key", value=clash[0])  # fmt: skip
        return changed

    def clash(self, context: str) -> tuple[str, str, str] | None:
        """A key that two commands of a context share, with their ids; None where there is none."""
        owner: dict[str, str] = {}
        for command in self._by_context[context]:
            for key in command.keys:
                if key in owner:
                    return key, owner[key], command.id
                owner[key] = command.id
        return None

    def available(self, context: str, powers: Powers) -> list[Command]:
        """The commands that exist in a context at the moment."""
        return [command for command in self._by_context[context] if powers.allow(command.needs)]

    def resolve(self, context: str, key: str, powers: Powers) -> Command | None:
        """The command that ``key`` calls in a context at the moment; None where it calls none."""
        return next((command for command in self.available(context, powers) if key in command.keys), None)

    def called_by_word(self, context: str, powers: Powers) -> list[Command]:
        """The commands that the palette can call from a context: its own, and those that mean the same everywhere."""
        own = self.available(context, powers)
        known = {command.id for command in own}
        rest = (command for command in self.commands if command.context in ANYWHERE or command.id == "quit")
        return [*own, *(command for command in rest if command.id not in known and powers.allow(command.needs))]

    def withheld(self, context: str, key: str, powers: Powers) -> Command | None:
        """The action that ``key`` would call in a context, but for the user's powers; None where there is none."""
        actions = (command for command in self._by_context[context] if command.needs in {Needs.OPERATOR, Needs.ADMIN})
        return next((action for action in actions if key in action.keys and not powers.allow(action.needs)), None)

    def command(self, command_id: str) -> Command:
        """The command of that id."""
        return next(command for command in self.commands if command.id == command_id)


def _as_keys(value: str | Sequence[str]) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else tuple(value)
