"""A powder diffractometer: tube, geometry and line profile; from conditions, from a fit of a standard, as JSON."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from perolas.core import check
from perolas.core.errors import InputError, one_line
from perolas.matter.parameters_library import library, parameter_value

_PROFILE = ("caglioti_u", "caglioti_v", "caglioti_w", "lorentz_x", "lorentz_y", "axial", "ka2_ratio")
_GEOMETRY = ("monochromator_deg", "radius_mm")
_MAX_BYTES = 100_000
_LONGEST_NM, _SHORTEST_NM = 1.0, 0.005


def anodes() -> tuple[str, ...]:
    """Return the anodes whose K alpha lines are known."""
    return tuple(n.partition(".")[0] for n in library() if n.endswith(".k_alpha1"))


def k_alpha_nm(anode: str) -> tuple[float, float]:
    """Return the wavelengths of K alpha 1 and 2 of an anode in nm; raises InputError for one that is not known."""
    name = check.one_of(anode.strip().capitalize(), anodes(), "The anode")
    return parameter_value(f"{name}.k_alpha1"), parameter_value(f"{name}.k_alpha2")


@dataclasses.dataclass(frozen=True)
class Instrument:
    """A diffractometer; fields without a comment are those of `Xrd`.

    Attributes:
        wavelengths_nm: K alpha 1, and K alpha 2 where the tube's light has it; empty: copper's both.
    """

    wavelengths_nm: tuple[float, ...] = ()
    monochromator_deg: float = 0.0
    radius_mm: float = 200.0
    caglioti_u: float = 0.0
    caglioti_v: float = 0.0
    caglioti_w: float = 0.0036
    lorentz_x: float = 0.0
    lorentz_y: float = 0.01
    axial: float = 0.0
    ka2_ratio: float = 0.5

    def __post_init__(self) -> None:
        """Refuse numbers that no instrument has."""
        if not self.wavelengths_nm:
            object.__setattr__(self, "wavelengths_nm", k_alpha_nm("Cu"))
        if len(self.wavelengths_nm) > 2:
            raise InputError("An instrument has one or two wavelengths.")
        for value in self.wavelengths_nm:
            if not _SHORTEST_NM <= value <= _LONGEST_NM:
                raise InputError(
                    f"The wavelength must lie between {_SHORTEST_NM:g} and {_LONGEST_NM:g} nm, but is {value:g} nm."
                )
        for field in dataclasses.fields(self)[1:]:
            if not math.isfinite(getattr(self, field.name)):
                raise InputError(f'The instrument\'s "{field.name}" is not a number.')
        check.positive(self.radius_mm, "radius_mm", "mm")
        for name in ("lorentz_x", "lorentz_y", "axial", "ka2_ratio"):
            check.positive(getattr(self, name), name, zero=True)

    def profile(self) -> dict[str, float]:
        """Return the parameters of `Xrd` that belong to the instrument, field -> value."""
        return {name: getattr(self, name) for name in _PROFILE}

    def to_json(self) -> dict[str, Any]:
        """Return the instrument as JSON-like data; `from_json` reads it."""
        return {"perolas": "xrd instrument", **dataclasses.asdict(self)}

    def save(self, path: str | Path) -> None:
        """Write the instrument to a file, for the option `instrument` of later fits."""
        Path(path).write_text(json.dumps(self.to_json(), indent=2) + "\n", encoding="utf-8")

    @staticmethod
    def from_json(found: Any, name: str = "the instrument") -> Instrument:
        """Return an instrument from JSON-like data.

        Args:
            found: an object with fields of `Instrument`; an estimate's JSON form will do too.
            name: what to call it in messages.

        Returns:
            The instrument.

        Raises:
            InputError: not an object, or a field that is no number.
        """
        if isinstance(found, Mapping) and isinstance(found.get("extra"), Mapping):
            found = found["extra"].get("instrument")
        if not isinstance(found, Mapping):
            raise InputError(f'"{name}" holds no instrument; write one with the option "save_instrument" of a fit.')
        values: dict[str, Any] = {}
        try:
            for field in (*_PROFILE, *_GEOMETRY):
                if field in found:
                    values[field] = float(found[field])
            if found.get("wavelengths_nm"):
                values["wavelengths_nm"] = tuple(float(v) for v in found["wavelengths_nm"])
        except (TypeError, ValueError):
            raise InputError(f'"{name}" has a field that is no number.') from None
        if not values:
            raise InputError(f'"{name}" holds no instrument; write one with the option "save_instrument" of a fit.')
        return Instrument(**values)

    @staticmethod
    def load(path: str | Path) -> Instrument:
        """Read an instrument from a JSON file; raises InputError where there is none."""
        name = one_line(Path(str(path)).name, 80)
        try:
            if Path(path).stat().st_size > _MAX_BYTES * 10:
                raise InputError(f'"{name}" is too large for an instrument.')
            text = Path(path).read_text(encoding="utf-8")
        except (OSError, ValueError) as error:
            if isinstance(error, InputError):
                raise
            reason = getattr(error, "strerror", None) or "it is no text"
            raise InputError(f'The instrument "{name}" cannot be read: {one_line(reason, 80)}.') from None
        try:
            found = json.loads(text)
        except (ValueError, RecursionError):
            raise InputError(f'The instrument "{name}" is no JSON.') from None
        return Instrument.from_json(found, name)


def settle(
    conditions: Mapping[str, Any],
    given: Instrument | None,
    wavelength_nm: float | None,
    anode: str | None,
    monochromator_deg: float | None,
    radius_mm: float | None,
) -> tuple[Instrument, str]:
    """Return the instrument of a pattern, and in words where its wavelength comes from.

    Args:
        conditions: of the observation: ``wavelength_nm``, ``wavelength2_nm``, ``anode``, ``ka2_ratio``, ``radius_mm``,
            ``monochromator_deg``.
        given: an instrument that was asked for; its profile is used, and its wavelengths unless others are given.
        wavelength_nm: a single wavelength that was asked for.
        anode: an anode that was asked for.
        monochromator_deg: as asked for.
        radius_mm: as asked for.

    Returns:
        The instrument and a sentence.

    Raises:
        InputError: nothing says what the wavelength is.
    """
    base = given or Instrument()
    said = {k: v for k, v in conditions.items() if v is not None}
    values: dict[str, Any] = {}
    if wavelength_nm is not None:
        values["wavelengths_nm"], where = (check.positive(wavelength_nm, "wavelength", "nm"),), "as given"
    elif anode is not None:
        values["wavelengths_nm"], where = k_alpha_nm(anode), f"K alpha of {anode.strip().capitalize()}, as asked for"
    elif given is not None:
        where = "the instrument's own"
    elif "wavelength_nm" in said:
        values["wavelengths_nm"], where = _from_file(said), "from the file"
    elif str(said.get("anode", "")).capitalize() in anodes():
        values["wavelengths_nm"], where = k_alpha_nm(str(said["anode"])), f"K alpha of {said['anode']}, from the file"
    else:
        raise InputError('The file does not say the wavelength; give it, e.g. anode "Cu" or wavelength "0.15406 nm".')
    if given is None:
        for name in ("monochromator_deg", "radius_mm", "ka2_ratio"):
            if isinstance(said.get(name), int | float) and math.isfinite(said[name]):
                values[name] = float(said[name])
    if monochromator_deg is not None:
        values["monochromator_deg"] = check.positive(monochromator_deg, "monochromator", "°", zero=True)
    if radius_mm is not None:
        values["radius_mm"] = check.positive(radius_mm, "radius", "mm")
    made = dataclasses.replace(base, **values)
    lengths = " and ".join(f"{w:.7g}" for w in made.wavelengths_nm)
    return made, f"Wavelength {lengths} nm, {where}."


def _from_file(said: Mapping[str, Any]) -> tuple[float, ...]:
    try:
        first = float(said["wavelength_nm"])
        second = float(said["wavelength2_nm"]) if said.get("wavelength2_nm") else None
    except (TypeError, ValueError):
        raise InputError("The wavelength that the file states is no number; give another.") from None
    return (first,) if second is None or second == first else (first, second)
