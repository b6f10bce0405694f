"""Who was drawn: the tenants of a phase, their strata, and which of them are in the cohort."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from flagconsole.domain.cohort import NOT_DRAWABLE, CohortDesign
from flagconsole.domain.errors import InvalidInput
from flagconsole.domain.verdict import CohortBasis

Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Assignment:
    """The tenants in a fixed order, with who is in the cohort.

    ``stratum`` numbers the stratum of each tenant; ``canary`` marks the cohort; ``by_chance`` marks the tenants whose
    place was decided by the draw, which excludes those that were in (or out) whatever chance said. ``seed_text`` is the
    recorded seed of the draw; the alternative cohorts are drawn from a seed derived from it.
    """

    tenants: tuple[str, ...]
    stratum: NDArray[np.int64]
    canary: Mask
    by_chance: Mask
    basis: CohortBasis
    seed_text: str

    @classmethod
    def drawn(
        cls,
        tenants: Sequence[str],
        cohort: Collection[str],
        *,
        seed_text: str,
        strata: Sequence[str | int] | None = None,
        fixed: Collection[str] = (),
    ) -> Assignment:
        """A cohort drawn at random inside strata (one stratum when ``strata`` is None). ``fixed`` names the tenants that
        chance had no say in, such as the members of the previous phase's cohort."""
        names = _distinct(tenants)
        canary = _mask(names, cohort, "cohort")
        fixed_mask = _mask(names, fixed, "fixed")
        if strata is None:
            codes = np.zeros(len(names), np.int64)
        else:
            if len(strata) != len(names):
                raise InvalidInput(
                    field="strata", problem=f"needs one entry for each of {len(names)} tenants", value=len(strata)
                )
            number = {label: index for index, label in enumerate(dict.fromkeys(strata))}
            codes = np.array([number[label] for label in strata], np.int64)
        return cls(names, codes, canary, _left_to_chance(codes, canary, ~fixed_mask), CohortBasis.DRAWN, seed_text)

    @classmethod
    def of_design(cls, design: CohortDesign) -> Assignment:
        """The assignment of a cohort that was selected by strata, preference and chance."""
        names = _distinct(design.tenants)
        canary, always = _mask(names, design.members, "members"), _mask(names, design.always_in, "always_in")
        codes = np.array(design.strata, np.int64)
        if codes.size != len(names):
            raise InvalidInput(
                field="strata", problem=f"needs one entry for each of {len(names)} tenants", value=codes.size
            )
        by_chance = _left_to_chance(codes, canary, (codes != NOT_DRAWABLE) & ~always)
        return cls(names, codes, canary, by_chance, CohortBasis.DRAWN, f"cohort/{design.seed}")

    @classmethod
    def hand_picked(cls, tenants: Sequence[str], cohort: Collection[str]) -> Assignment:
        """A cohort that somebody chose. Nothing can be said about cohorts that chance could have given instead."""
        names = _distinct(tenants)
        nobody = np.zeros(len(names), np.bool_)
        return cls(
            names, np.zeros(len(names), np.int64), _mask(names, cohort, "cohort"), nobody, CohortBasis.HAND_PICKED, ""
        )

    @classmethod
    def everyone(cls, tenants: Sequence[str]) -> Assignment:
        """All tenants: a shadow phase or the full phase, with nobody left to compare with."""
        names = _distinct(tenants)
        nobody = np.zeros(len(names), np.bool_)
        return cls(names, np.zeros(len(names), np.int64), ~nobody, nobody, CohortBasis.EVERYONE, "")

    @property
    def size(self) -> int:
        """How many tenants there are."""
        return len(self.tenants)

    @property
    def has_control(self) -> bool:
        """Whether anybody is outside the cohort."""
        return not bool(self.canary.all())

    @property
    def drawn_by_chance(self) -> int | None:
        """How many tenants of the cohort the draw's chance alone put there; None where it wasn't drawn."""
        return int(self.canary[self.by_chance].sum()) if self.basis is CohortBasis.DRAWN else None

    def seed(self, purpose: str) -> int:
        """A seed for ``purpose``, derived from the recorded one and independent of what the draw itself used."""
        digest = hashlib.sha256(
            f"flagconsole judge 1\x00{purpose}\x00{self.seed_text}".encode("utf-8", "replace")
        ).digest()
        return int.from_bytes(digest[:16], "big")

    def fingerprint(self) -> str:
        """16 hex digits that change with the tenants, the strata, the cohort or the seed."""
        digest = hashlib.sha256()
        for part in (*self.tenants, self.basis.value, self.seed_text):
            encoded = part.encode("utf-8", "replace")
            digest.update(len(encoded).to_bytes(4, "big") + encoded)
        for array in (self.stratum, self.canary, self.by_chance):
            digest.update(array.tobytes())
        return digest.hexdigest()[:16]


def _distinct(tenants: Sequence[str]) -> tuple[str, ...]:
    names = tuple(tenants)
    if not names:
        raise InvalidInput(field="tenants", problem="must name at least one tenant", value=0)
    if len(set(names)) != len(names):
        raise InvalidInput(field="tenants", problem="must not name a tenant twice", value=len(names) - len(set(names)))
    return names


def _left_to_chance(codes: NDArray[np.int64], canary: Mask, open_to_chance: Mask) -> Mask:
    """Of the tenants open to chance those in strata that are neither all in nor all out: there chance decided something."""
    groups = np.unique(codes[open_to_chance], return_inverse=True)[1]
    sizes, inside = np.bincount(groups), np.bincount(groups, weights=canary[open_to_chance])
    by_chance = open_to_chance.copy()
    by_chance[open_to_chance] = ((inside > 0) & (inside < sizes))[groups]
    return by_chance


def _mask(names: tuple[str, ...], chosen: Collection[str], field: str) -> Mask:
    wanted = set(chosen)
    unknown = wanted.difference(names)
    if unknown:
        raise InvalidInput(field=field, problem="names a tenant that is not among the tenants", value=min(unknown))
    return np.fromiter((name in wanted for name in names), np.bool_, len(names))
