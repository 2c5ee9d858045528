"""X-ray photoemission of a core level: doublets tied by physics on an active Shirley background.

**Model.** Each species i is one main line (for Pb 4f the 4f7/2) at the binding energy p_i and, for a split level, its
partner at p_i + splitting with `area_ratio` times the main line's area (4:3 for 4f, counted from the states). All lines
share one width and one shape S of unit area, the sum of a Lorentzian and a Gaussian of the same full width w with the
Lorentzian's share eta (0.3: the GL(30) of the older programs). With A_i the area of main line and partner together,

    L(E)   = sum_i A_i / (1 + r) [ S(E - p_i) + r S(E - p_i - d) ]
    B(E)   = b + m (E - E_mid) + k * integral from E_low to E of L
    signal = L(E) + B(E)

E_low is the low end of the axis and E_mid its middle. The last term of B is Shirley's background made part of the
model ("active": Herrera-Gomez et al. 2014): it is fitted with the lines and its uncertainty passes into theirs, where
the iterated background is subtracted once and its error forgotten. The signal is counted, hence Poisson.

**Parameters.** position (eV, each species), area (counts eV, each species, main line and partner together), fwhm (eV,
shared), background b (counts), shirley k (1/eV); held unless freed: splitting d (eV), area_ratio r, lorentz_share eta,
slope m (counts/eV; free with the linear background, where there is no k). **Derived:** fraction_i (share of the total
area), position_partner_i (eV), area_total (counts eV). `fit` adds fraction_NAME and position_NAME for each species
that could be named, e.g. ``fraction_lead_oleate``.

**Species.** How many there are follows from the evidence (BIC); what they are follows from the positions relative to
each other and, as far as the energy reference allows, from the positions themselves: see `xps_fit` and `xps_names`.

**Response.** A `Specimen` sets the shares: lead oleate has ligand_coverage times the weight of the outermost layer
(`Pb 4f.outer_layer_weight`), metallic lead nothing, the halide the rest. The total area is the instrument's.

**References.** Shirley 1972; Moulder et al. 1992 (positions, splittings); Baker and Cousins 1984 (Poisson).

**Validated** in tests/unit/test_xps.py against the analytic area and background step and against lmfit (benchmarks),
by recovery and rates of the right number of species on simulated spectra, and on two real files: a lead-iodide film
(Kratos, doublet 138.8/143.7 eV with metallic lead 1.7 eV below) and clean gold (synchrotron, splitting 3.67 eV).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

import equinox as eqx
import jax.numpy as jnp
import numpy as np
import xarray as xr
from jaxtyping import Array, Float

from perolas.core import check
from perolas.core.errors import InputError, one_line
from perolas.core.estimate import Estimate
from perolas.core.measurement import AbstractMeasurement, Derived
from perolas.core.measurement import simulate as simulate_any
from perolas.core.noise import AbstractNoise, Poisson
from perolas.core.parameter import parameter, replace, table
from perolas.matter.parameters_library import parameter_value
from perolas.measurements.xps_levels import Level, level, levels
from perolas.measurements.xps_lines import doublets, doublets_with_columns, running_integrals

BACKGROUNDS = ("shirley", "linear")
REFERENCES = ("shirley1972", "moulder1992", "baker1984")
# Of the steps of a Shirley background per eV, what is usual; only a start value and the default of a simulation.
_USUAL_SHIRLEY = 0.03


def _as_axis(value: Any) -> Any:
    return jnp.asarray(value, dtype=jnp.float64) if isinstance(value, np.ndarray | list | tuple) else value


class Xps(AbstractMeasurement):
    """A core-level spectrum; see the module for its equation.

    Attributes:
        energy_ev: shape (n,), binding energies, rising or falling.
        noise: how the signal scatters.
        level: name of the core level.
        species: names of the species in the order of the vectors; () where they are not named.
        background_kind: ``"shirley"`` or ``"linear"``.
    """

    technique: ClassVar[str] = "xps"
    axis_name: ClassVar[str] = "binding_energy_ev"
    response_sets: ClassVar[tuple[str, ...]] = ("area",)
    keeps_total: ClassVar[tuple[str, ...]] = ("area",)
    derived_table: ClassVar[dict[str, Derived]] = {
        "fraction": Derived("1", "area of the species over the total area of the level"),
        "position_partner": Derived("eV", "binding energy of the partner line: position plus splitting"),
        "area_total": Derived("counts eV", "area of all species, main lines and partners"),
    }

    position_ev: Float[Array, " k"] = parameter("eV", "binding energy of the main line", name="position", vector=True)
    area: Float[Array, " k"] = parameter(
        "counts eV",
        "area of a species, main line and partner together",
        name="area",
        default=1e4,
        bounds=(0.0, np.inf),
        vector=True,
    )
    fwhm_ev: Float[Array, ""] = parameter(
        "eV", "full width of every line", name="fwhm", default=1.1, bounds=(0.0, np.inf)
    )
    background_counts: Float[Array, ""] = parameter(
        "counts", "background in the middle of the axis, before the Shirley step", name="background", default=1e3
    )
    shirley: Float[Array, ""] = parameter(
        "1/eV",
        "Shirley step: rise of the background over the area of the lines below",
        name="shirley",
        default=_USUAL_SHIRLEY,
        bounds=(0.0, np.inf),
    )
    slope: Float[Array, ""] = parameter(
        "counts/eV", "slope of the background towards higher binding energy", name="slope", free=False
    )
    splitting_ev: Float[Array, ""] = parameter(
        "eV", "partner line above the main line", name="splitting", bounds=(0.0, np.inf), free=False
    )
    area_ratio: Float[Array, ""] = parameter(
        "1", "area of the partner over that of the main line", name="area_ratio", bounds=(0.0, np.inf), free=False
    )
    lorentz_share: Float[Array, ""] = parameter(
        "1", "share of the Lorentzian in the line's area", name="lorentz_share", default=0.3, bounds=(0, 1), free=False
    )
    energy_ev: Float[Array, " n"] = eqx.field(converter=_as_axis, kw_only=True)
    noise: AbstractNoise = eqx.field(default_factory=Poisson, kw_only=True)
    level: str = eqx.field(static=True, default="Pb 4f", kw_only=True)
    species: tuple[str, ...] = eqx.field(static=True, default=(), kw_only=True)
    background_kind: str = eqx.field(static=True, default="shirley", kw_only=True)

    @staticmethod
    def of(
        energy_ev: Any,
        *,
        level: str = "Pb 4f",
        species: int | Iterable[str] = 2,
        background: str = "shirley",
        noise: AbstractNoise | None = None,
        **values: Any,
    ) -> Xps:
        """Build a spectrum's model from the parameter file.

        Args:
            energy_ev: shape (n,), binding energies, rising or falling.
            level: name of the core level.
            species: names of its species, or how many: the first ones of the parameter file.
            background: ``"shirley"`` or ``"linear"``.
            noise: Poisson unless given.
            values: parameter fields, e.g. ``area=[8e3, 2e3]``; the rest comes from the parameter file.

        Returns:
            The model.

        Raises:
            InputError: an unknown level, species, background or field, or an axis that cannot be used.
        """
        known = _level(level)
        check.one_of(background, BACKGROUNDS, "The background")
        check.known_options(values, [row.field for row in table(Xps)], "xps")
        by_name = {s.name: s for s in known.species}
        if isinstance(species, int):
            if not 1 <= species <= 3:
                raise InputError(f"The number of species must be 1, 2 or 3, but is {species}.")
            chosen: tuple[str, ...] = tuple(by_name)[:species]
            count = species
        else:
            chosen = tuple(check.one_of(s, by_name, f"The species of {known.name}") for s in species)
            count = len(chosen)
        positions = [by_name[s].position_ev for s in chosen]
        positions += [positions[-1] + 1.5 * (i + 1) for i in range(count - len(chosen))]
        given = {
            "position_ev": positions,
            "area": [1e4 / 2**i for i in range(count)],
            "fwhm_ev": known.fwhm_ev,
            "splitting_ev": known.splitting_ev,
            "area_ratio": known.area_ratio,
            "shirley": _USUAL_SHIRLEY if background == "shirley" else 0.0,
        } | values
        return Xps(
            energy_ev=check.axis(np.asarray(energy_ev), "binding_energy_ev"),
            noise=noise if noise is not None else Poisson(),
            level=known.name,
            species=chosen if len(chosen) == count else (),
            background_kind=background,
            **given,
        )

    @property
    def axis(self) -> Float[Array, " n"]:
        """The binding energies, shape (n,), eV."""
        return self.energy_ev

    @property
    def free_by_default(self) -> tuple[str, ...]:
        """What a fit varies: the step of a Shirley background, or the slope of a linear one."""
        return ("position", "area", "fwhm", "background", "shirley" if self.background_kind == "shirley" else "slope")

    def _arguments(self, area: Float[Array, " k"]) -> tuple[Any, ...]:
        partner = (self.splitting_ev, self.area_ratio) if _level(self.level).is_doublet else None
        return self.energy_ev, self.position_ev, area, self.fwhm_ev, self.lorentz_share, partner

    def _straight(self) -> Float[Array, " n"]:
        middle = 0.5 * (self.energy_ev[0] + self.energy_ev[-1])
        return self.background_counts + self.slope * (self.energy_ev - middle)

    def expected(self) -> Float[Array, " n"]:
        """Return the expected signal, shape (n,), in counts."""
        lines = doublets(*self._arguments(self.area))
        if self.background_kind == "linear":
            return self._straight() + lines
        return self._straight() + lines + self.shirley * running_integrals(lines[None], self.energy_ev)[0]

    def expected_with_columns(
        self, fields: frozenset[str]
    ) -> tuple[Float[Array, " n"], dict[str, list[Float[Array, " n"]]]]:
        """Return the expected signal, shape (n,), with its derivatives by the fields asked for."""
        lines, found = doublets_with_columns(*self._arguments(self.area))
        names = {"position": "position_ev", "fwhm": "fwhm_ev", "splitting": "splitting_ev"}
        columns = {names.get(k, k): rows for k, rows in found.items() if names.get(k, k) in fields}
        middle = 0.5 * (self.energy_ev[0] + self.energy_ev[-1])
        flat = {"background_counts": [jnp.ones_like(self.energy_ev)], "slope": [self.energy_ev - middle]}
        if self.background_kind == "linear":
            return self._straight() + lines, columns | flat
        rows = [row for column in columns.values() for row in column]
        integrals = running_integrals(jnp.stack([*rows, lines]), self.energy_ev)
        step = iter(self.shirley * integrals)
        columns = {name: [row + next(step) for row in column] for name, column in columns.items()}
        expected = self._straight() + lines + self.shirley * integrals[-1]
        return expected, columns | flat | {"shirley": [integrals[-1]]}

    def respond(self, state: Any) -> Xps:
        """Return the spectrum of a specimen: the total area stays, its shares follow the ligand coverage.

        Args:
            state: a `perolas.matter.specimen.Specimen`.

        Returns:
            The measurement with `area` set; levels other than Pb 4f keep theirs.
        """
        if self.level != "Pb 4f":
            return self
        names = self.species or tuple(s.name for s in _level(self.level).species)[: self.area.shape[-1]]
        oleate = state.ligand_coverage * parameter_value("Pb 4f.outer_layer_weight")
        oleate = oleate if "lead oleate" in names and "lead halide" in names else jnp.zeros(())
        share = {"lead oleate": oleate, "lead halide": 1.0 - oleate}
        if "lead halide" not in names:
            share = {names[0]: jnp.ones(())}
        total = jnp.sum(self.area)
        return replace(self, area=jnp.stack([total * share.get(n, 0.0) for n in names]))  # type: ignore[no-any-return]

    def components(self) -> dict[str, Float[Array, " n"]]:
        """Return background and species, each of shape (n,); they add up to the expected signal."""
        count = self.area.shape[-1]
        alone = [doublets(*self._arguments(area)) for area in jnp.eye(count) * self.area]
        parts = {"background": self.expected() - sum(alone, jnp.zeros(()))}
        return parts | {f"species_{i + 1}": line for i, line in enumerate(alone)}

    def derived(self) -> dict[str, Float[Array, ""]]:
        """Return fractions, partner positions and the total area."""
        total = jnp.sum(self.area)
        count = self.area.shape[-1]
        found = {f"fraction_{i + 1}": self.area[i] / total for i in range(count)}
        if _level(self.level).is_doublet:
            found |= {f"position_partner_{i + 1}": self.position_ev[i] + self.splitting_ev for i in range(count)}
        return found | {"area_total": total}


PARAMETERS = table(Xps)
PARAMETERS_USED = tuple(
    f"{name}.{what}"
    for name, found in levels().items()
    for what in [
        *(["splitting", "area_ratio"] if found.is_doublet else []),
        "fwhm",
        *(s.slug for s in found.species),
        *(["outer_layer_weight"] if name == "Pb 4f" else []),
    ]
)


def _level(name: str) -> Level:
    return level(name)


def default_axis(name: str, step_ev: float = 0.05) -> np.ndarray:
    """Return the binding energies over which a level is usually measured, shape (n,), eV (Pb 4f: 134 to 148).

    Args:
        name: the core level.
        step_ev: distance of the points.

    Returns:
        Rising energies.
    """
    low, high = level(name).range_ev
    low, high = np.floor(low - 2.7), np.ceil(high + 4.0)
    return np.round(np.arange(round((high - low) / step_ev) + 1) * step_ev + low, 6)


def scaled(model: Xps, counts: float) -> Xps:
    """Return the model with its areas and background scaled so that the highest bin expects `counts`."""
    factor = check.positive(counts, "counts", "counts") / jnp.max(model.expected())
    return replace(  # type: ignore[no-any-return]
        model, area=model.area * factor, background_counts=model.background_counts * factor, slope=model.slope * factor
    )


def example(counts: float = 1e4, background: str = "shirley") -> Xps:
    """Return a plausible Pb 4f spectrum of lead halide with lead oleate: 281 points from 134 to 148 eV.

    Args:
        counts: expected in the highest bin.
        background: ``"shirley"`` or ``"linear"``.

    Returns:
        The model with its true parameters; `free_by_default` has seven.
    """
    model = Xps.of(
        134.0 + 0.05 * np.arange(281),
        species=("lead halide", "lead oleate"),
        background=background,
        position_ev=[138.4, 139.2],
        area=[7e3, 4e3],
        fwhm_ev=1.1,
    )
    return scaled(model, counts)


def simulate(
    specimen: Any = None,
    *,
    level: str = "Pb 4f",
    species: str | int = "auto",
    background: str = "shirley",
    counts: float = 1e4,
    seed: int = 0,
    axis_ev: Any = None,
    noise: AbstractNoise | None = None,
    **values: Any,
) -> xr.Dataset:
    """Draw a core-level spectrum.

    Args:
        specimen: what is looked at; its ligand coverage decides the shares of Pb 4f. None: equal shares.
        level: name of the core level.
        species: number of species (the first ones of the parameter file); "auto": two if there are two.
        background: ``"shirley"`` or ``"linear"``.
        counts: expected in the highest bin.
        seed: seed of the noise.
        axis_ev: shape (n,), binding energies; None: what is usual for the level.
        noise: Poisson unless given.
        values: parameter fields of `Xps`, e.g. ``position_ev=[138.3, 139.0]``.

    Returns:
        The observation.

    Raises:
        InputError: options that cannot be used.
    """
    known = _level(level)
    given = max((len(values[n]) for n in ("position_ev", "area") if n in values), default=min(2, len(known.species)))
    count = given if species == "auto" else species_count(species)
    for name in ("position_ev", "area"):
        if name in values and len(values[name]) != count:
            raise InputError(f'"{name}" has {len(values[name])} values, but there are {count} species.')
    axis = default_axis(level) if axis_ev is None else axis_ev
    values = {"area": [1.0] * count, "background_counts": 0.1, "slope": 0.0} | values
    model = Xps.of(axis, level=level, species=count, background=background, noise=noise, **values)
    model = model if specimen is None else model.respond(specimen)
    return simulate_any(scaled(model, counts), seed=seed)


def species_count(species: str | int) -> int:
    """Return a number of species written as a number or as text; raises InputError unless it is 1, 2 or 3."""
    if str(species).strip() not in ("1", "2", "3"):
        raise InputError(f'"species" must be 1, 2, 3 or "auto", but is "{one_line(species, 40)}".')
    return int(species)


def fit(
    observation: xr.Dataset,
    *,
    level: str = "Pb 4f",
    species: str | int = "auto",
    background: str = "shirley",
    window: tuple[float, float] | None = None,
    reference_std: float = 0.1,
    photon_energy: float | None = None,
    noise: str = "auto",
    free: Iterable[str] = (),
    fix: Iterable[str] = (),
    guess: Mapping[str, float] | None = None,
    starts: int = 1,
    seed: int = 0,
) -> Estimate:
    """Fit a core level: how many species there are, what they are, and how much of each.

    Args:
        observation: a spectrum on ``binding_energy_ev`` or ``kinetic_energy_ev``.
        level: name of the core level.
        species: 1, 2 or 3; "auto" chooses by evidence.
        background: ``"shirley"`` (active) or ``"linear"``.
        window: binding energies to fit, eV; None: what the level needs.
        reference_std: standard uncertainty of the energy reference, eV; shared by all positions.
        photon_energy: eV, for kinetic energies where the file does not say it.
        noise: "poisson", "estimated", or "auto": Poisson for whole counts.
        free: parameters to fit that are held by default, e.g. ``("splitting",)``.
        fix: parameters to hold.
        guess: start values by name (``position_1``), in the parameter's unit.
        starts: starting points tried beyond those that the data propose.
        seed: seed of those.

    Returns:
        The estimate. ``extra`` holds ``evidence`` (a row for each number of species), ``assignment`` (what the
        species are, with posterior probabilities), ``species`` and ``detected``.

    Raises:
        InputError: an observation or options that cannot be used.
        FitError: no start converged.
    """
    from perolas.measurements.xps_fit import Request, run

    request = Request(
        level=_level(level),
        species=0 if species == "auto" else species_count(species),
        background=check.one_of(background, BACKGROUNDS, "The background"),
        window=window,
        reference_std=check.positive(reference_std, "reference_std", "eV", zero=True),
        photon_energy=None if photon_energy is None else check.positive(photon_energy, "photon_energy", "eV"),
        noise=check.one_of(noise, ("auto", "poisson", "estimated"), "The noise"),
        free=tuple(free),
        fix=tuple(fix),
        guess=dict(guess or {}),
        starts=int(check.positive(starts, "starts")),
        seed=seed,
    )
    return run(observation, request)
