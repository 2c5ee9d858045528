"""The tiers side by side: rays, diffusing light, steady waves and waves in time on one piece of film."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from perolas.core.errors import FitError, InputError
from perolas.laser.patch.film import Patch
from perolas.laser.patch.waves import Mean, ensemble

TIERS = ("rate", "diffusion", "salt", "maxwell")
_SAME = 0.02  # of the threshold gain: what two wave theories on one coarse grid may differ by


@dataclass(frozen=True)
class Row:
    """What one tier says.

    Attributes:
        tier: its name.
        fluence_uj_cm2, excitations, gain_cm1, wavelength_nm: at threshold; over films, where it knows of disorder.
        lases: share of the films that lase.
        words: what it leaves out, and why it may differ.
    """

    tier: str
    fluence_uj_cm2: Mean
    excitations: Mean
    gain_cm1: Mean
    wavelength_nm: Mean
    lases: float
    words: str

    def to_json(self) -> dict[str, Any]:
        """Return the row as JSON data; what is not known is null."""
        shown: dict[str, Any] = {"tier": self.tier, "lases": self.lases, "words": self.words}
        for name in ("fluence_uj_cm2", "excitations", "gain_cm1", "wavelength_nm"):
            mean: Mean = getattr(self, name)
            values = {"value": mean.value, "std": mean.std, "spread": mean.spread}
            shown[name] = {k: v if math.isfinite(v) else None for k, v in values.items()} | {"count": mean.count}
        return shown


@dataclass(frozen=True)
class Comparison:
    """Every tier on one film.

    Attributes:
        patch: the film.
        rows: one for each tier.
        sentences: what their differences come from.
    """

    patch: Patch
    rows: tuple[Row, ...]
    sentences: tuple[str, ...]

    def row(self, tier: str) -> Row:
        """Return the row of a tier."""
        return next(r for r in self.rows if r.tier == tier)


def _known(value: float) -> Mean:
    """Return a number that has no error of its own: these tiers do not know of disorder."""
    return Mean(value, 0.0, 0.0, 1) if math.isfinite(value) else Mean(math.nan, math.inf, math.nan, 0)


def compare(
    patch: Patch,
    seeds: Sequence[int] = (0, 1),
    tiers: Sequence[str] = TIERS[:3],
    progress: Callable[[str], None] | None = None,
) -> Comparison:
    """Put the thresholds of one film by several tiers side by side.

    Args:
        patch: film, pump and gain, the same for all.
        seeds: of the disorder that the wave tiers see.
        tiers: of `TIERS`; ``"maxwell"`` takes minutes for each film.
        progress: is called with a sentence now and then.

    Returns:
        The comparison.

    Raises:
        InputError: an unknown tier, or no seeds.
    """
    unknown = [t for t in tiers if t not in TIERS]
    if unknown:
        raise InputError(f'"{unknown[0]}" is no tier; there are: {", ".join(TIERS)}.')
    if not seeds:
        raise InputError("At least one film is needed; give a number of seeds.")
    say = progress or (lambda _: None)
    rows = []
    light = patch.other_tiers()
    words = {
        "rate": "one path across the spot, whose feedback is the share of scattered light that returns",
        "diffusion": "a round Gaussian spot of the same area, light that forgets its phase",
    }
    for tier in [t for t in tiers if t in light]:
        found = light[tier]
        lases = float(found.lases[0])
        n = float(found.steady[0]) if lases else math.nan
        gain = float(np.interp(n, patch.excitations, patch.gain_cm1)) if lases else math.nan
        fluence = float(found.fluence_uj_cm2[0]) if lases else math.nan
        nm = float(found.wavelength_nm[0]) if lases else math.nan
        rows.append(Row(tier, _known(fluence), _known(n), _known(gain), _known(nm), lases, words[tier]))
    d0: dict[int, float] = {}
    if "salt" in tiers:

        def told(done: int, total: int) -> None:
            say(f"steady waves: film {done} of {total}")

        films = ensemble(patch, seeds, count=2, progress=told)
        d0 = {f.seed: float(f.gain_cm1[0]) for f in films}
        found_salt = [(f.fluence_uj_cm2[0], f.excitations[0], f.gain_cm1[0], f.wavelength_nm[0]) for f in films]
        rows.append(_of_films("salt", found_salt, "waves in this very film, two dimensions, the lowest threshold"))
    if "maxwell" in tiers:
        from perolas.laser.maxwell_bloch.film import film_run
        from perolas.laser.salt.units import d0_of_gain

        numbers = []
        for i, seed in enumerate(seeds):
            guess = d0_of_gain(d0[int(seed)], patch.index, patch.wavelength_nm) if int(seed) in d0 else None
            try:
                run = film_run(patch, int(seed), (), guess_d0=guess)
                numbers.append((run.fluence_uj_cm2, patch.steady(run.gain_cm1), run.gain_cm1, run.threshold_nm))
            except FitError as error:
                say(f"waves in time: film {i + 1} of {len(seeds)} gave no threshold: {error}")
                numbers.append((math.inf, math.inf, math.inf, math.nan))
                continue
            say(f"waves in time: film {i + 1} of {len(seeds)}")
        rows.append(_of_films("maxwell", numbers, "the same film in time, from the growth of faint light"))
    return Comparison(patch, tuple(rows), _sentences(patch, rows))


def _of_films(tier: str, numbers: Sequence[tuple[float, float, float, float]], words: str) -> Row:
    columns = [np.array(c, dtype=float) for c in zip(*numbers, strict=True)]
    lases = float(np.mean(np.isfinite(columns[0])))
    fluence, excitations, gain, nm = (Mean.of(c) for c in columns)
    return Row(tier, fluence, excitations, gain, nm, lases, words)


def _sentences(patch: Patch, rows: Sequence[Row]) -> tuple[str, ...]:
    said = [
        f"A square of {patch.side_um:g} um, voids of {patch.void_nm:.0f} nm on {100 * patch.void_share:.0f} % of it, "
        f"transport mean free path {patch.transport_um:.3g} um by theory, {patch.loss_cm1:.4g} cm-1 lost besides the "
        "edges; everything that is not known is at its median."
    ]
    if abs(math.log(patch.transport_um / patch.wanted_transport_um)) > 0.2:
        said.append(
            f"Voids cannot make the transport mean free path of {patch.wanted_transport_um:.3g} um that was asked for."
        )
    by_name = {r.tier: r for r in rows}
    silent = [r.tier for r in rows if r.lases == 0.0]
    if silent:
        said.append(f"By {' and '.join(silent)} this piece does not lase, however hard it is pumped.")
    salt, diffusion, maxwell = (by_name.get(t) for t in ("salt", "diffusion", "maxwell"))
    if salt and diffusion and salt.lases > 0 and diffusion.lases > 0:
        ratio = salt.gain_cm1.value / diffusion.gain_cm1.value
        word = "more" if ratio > 1 else "less"
        said.append(
            f"Waves need {abs(ratio - 1):.0%} {word} gain than diffusing light: within a few mean free paths of the "
            "edges diffusion is a guess, its spot has soft edges, and waves interfere."
        )
        if "rate" in silent:
            said.append(
                "The rate tier gets its feedback from a returning share that nobody has measured, not from this film; "
                "it answers for the median of the range."
            )
    if salt and maxwell and salt.lases > 0 and maxwell.lases > 0:
        off = maxwell.gain_cm1.value / salt.gain_cm1.value - 1.0
        fine = "as the grid allows" if abs(off) < _SAME else "more than the grid should make"
        said.append(f"The two wave theories differ by {off:+.1%} in threshold gain, {fine}.")
    return tuple(said)
