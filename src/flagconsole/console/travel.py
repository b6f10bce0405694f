"""Time travel: the screens show an earlier revision, unmistakably, and nothing can be changed from there.

The present goes on beside it: the feed works on ``Present``, and coming back shows it as it is by then.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from flagconsole.console import state as model
from flagconsole.console.state import ConsoleState, PastView
from flagconsole.console.wish import Wish
from flagconsole.domain.payload import PayloadError

if TYPE_CHECKING:
    from flagconsole.console.app import ConsoleApp
    from flagconsole.console.past import Timeline

#: Changes that a long step goes.
LONG_STEP: Final = 10


class Present:
    """The app as the feed knows it: its state is the present one, whatever is on screen."""

    def __init__(self, app: ConsoleApp) -> None:
        self._app = app

    @property
    def state(self) -> ConsoleState:
        """What is known by now."""
        return self._app.traveller.present or self._app.state

    @state.setter
    def state(self, state: ConsoleState) -> None:
        if self._app.traveller.present is None:
            self._app.state = state
        else:
            self._app.traveller.present = state

    def publish(self, state: ConsoleState, changed: frozenset[str]) -> None:
        """Take a new present."""
        self._app.publish(state, changed)

    def wish(self) -> Wish:
        """What is on screen beyond what the stream brings."""
        return self._app.wish()

    @property
    def slow_link(self) -> bool:
        """Whether as little as possible is to travel."""
        return self._app.slow_link

    def ring(self, occasion: str, words: str) -> None:
        """Ring for something that must not be missed."""
        self._app.ring(occasion, words)


class Traveller:
    """One app's travels. ``present`` is set while the past is on screen."""

    def __init__(self, app: ConsoleApp) -> None:
        self._app = app
        self._timeline: Timeline | None = None
        self._place = 0
        self.present: ConsoleState | None = None

    def toggle(self, text: str = "") -> None:
        """Go back (to a time where ``text`` names one), or return."""
        from flagconsole.domain.moment import MOMENT_HELP, moment_of

        app = self._app
        if self.present is not None and not text:
            self.back()
        elif app.keeper is None:
            app.say("there is no cache, and so no past")
        elif text and moment_of(text, app.server_now()) is None:
            app.say(f"{text!r} is no time; write it like {MOMENT_HELP}")
        else:
            moment = moment_of(text, app.server_now()) if text else None
            app.run_worker(self._go(moment), group="travel", exclusive=True)

    async def _go(self, moment: float | None) -> None:
        from flagconsole.console import cache
        from flagconsole.console.cache import Unusable
        from flagconsole.console.past import Timeline

        app = self._app
        assert app.keeper is not None
        path = app.keeper.path
        try:
            await asyncio.to_thread(app.keeper.flush)
            cached = await asyncio.to_thread(cache.read, path)
            changes = await asyncio.to_thread(cache.read_changes, path)
            timeline = None if cached is None else Timeline(cached, changes)
        except (Unusable, KeyError, TypeError, ValueError) as error:
            app.say(
                f"there is no past: the cache {error}" if isinstance(error, Unusable) else "there is no past to be had"
            )
            return
        if timeline is None or len(timeline.moments) < 2:
            app.say("there is no past yet: the cache has no change that could be taken back")
            return
        self._timeline = timeline
        self._show(1 if moment is None else timeline.nearest(moment))

    def step(self, changes: int) -> None:
        """Go ``changes`` further back; towards now where negative."""
        timeline = self._timeline
        if timeline is None or self.present is None:
            return
        wanted = self._place + changes
        self._app.say("")
        if wanted < 0:
            self._app.say("this is the newest that the cache knows: T returns to now")
        elif wanted >= len(timeline.moments):
            oldest = timeline.moments[-1].revision
            self._app.say(f"the cache reaches back to revision {oldest}; older changes come with o in the history")
        place = max(0, min(len(timeline.moments) - 1, wanted))
        if place != self._place:
            self._show(place)

    def back(self) -> None:
        """Return to now."""
        present, app = self.present, self._app
        if present is None:
            return
        shown = app.state
        self.present = self._timeline = None
        differing = {
            name
            for name in present.flags.keys() | shown.flags.keys()
            if present.flags.get(name) != shown.flags.get(name)
        }
        app.state = replace(
            present, selected=shown.selected, tenant=shown.tenant, filter_text=shown.filter_text, order=shown.order
        )
        app.say("")
        app.publish(app.state, frozenset(differing))
        app.keys_changed()

    def take(self, state: ConsoleState) -> ConsoleState:
        """Keep a new present, and give what is on screen meanwhile: the past, with the bar's facts of now."""
        self.present = state
        return replace(self._app.state, connection=state.connection, ledger=state.ledger)

    def _show(self, place: int) -> None:
        app, timeline = self._app, self._timeline
        assert timeline is not None
        present = self.present or app.state
        moment = timeline.moments[place]
        listing, changes = timeline.listing(place)
        shown = ConsoleState(
            connection=present.connection,
            flags=app.state.flags,
            tenants=present.tenants,
            tenant_names=present.tenant_names,
            ledger=present.ledger,
            selected=app.state.selected,
            tenant=app.state.tenant,
            filter_text=app.state.filter_text,
            order=app.state.order,
        )
        try:
            shown, changed = model.with_listing(shown, listing, 0.0)
            shown = model.with_history(shown, changes[: model.HISTORY_LIMIT])
        except (PayloadError, KeyError, TypeError, ValueError, AttributeError):
            app.say("the past can't be worked out: the cache holds what can't be understood")
            return
        newest = timeline.moments[0].revision
        view = PastView(moment.revision, moment.at, newest, timeline.moments[-1].revision)
        self.present, self._place = present, place
        app.state = replace(shown, past=view)
        app.paint(changed)
        app.count_anew()
        app.keys_changed()
