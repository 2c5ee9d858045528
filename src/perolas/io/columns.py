"""What a header says a column is: words and units -> the name of an axis, a factor, a unit of the signal.

A header that names the quantity or its unit decides what the axis is; the caller's ``axis`` decides where the
header is silent or vague ("energy"), and a header of another dimension than the caller's ``axis`` is an error.
Units of the same dimension are converted (ps to ns, um to nm, meV to eV). Words without a unit are taken at their
conventional unit only where there is but one in use: Raman shift (cm-1), binding or kinetic energy (eV), two theta
(deg), and wavelength (nm) where all values lie between 100 and 30000. "Time" alone says nothing.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from perolas.core import check
from perolas.core.errors import InputError, one_line
from perolas.core.observation import AXIS_UNITS

_LENGTH = {"nm": 1.0, "nanometer": 1.0, "nanometre": 1.0, "um": 1e3, "micron": 1e3, "angstrom": 0.1, "å": 0.1}
_TIME = {"fs": 1e-6, "ps": 1e-3, "ns": 1.0, "us": 1e3, "ms": 1e6}
_ENERGY = {"mev": 1e-3, "ev": 1.0, "kev": 1e3}
_INVERSE_CM = re.compile(r"1/cm|cm\^?\(?-1\)?|cm⁻¹|cm\s\^?-1|cm-¹|wavenumber|raman\s*shift")


@dataclass(frozen=True)
class Meaning:
    """What the header of a column says.

    Attributes:
        axis: name of the axis, or None where the header is silent.
        factor: number that turns the column into the unit of that axis.
        vague: the words fit several axes of this unit (``"Energy (eV)"``, ``"1/cm"``).
    """

    axis: str | None
    factor: float = 1.0
    vague: bool = False


def axis_meaning(header: str) -> Meaning:
    """Return what the words over the first column mean.

    Args:
        header: the words, with their unit if they have one, e.g. ``"Binding Energy (eV)"``.

    Returns:
        The meaning; `Meaning(None)` where the words say nothing.
    """
    text = header.lower().replace("µ", "u").replace("μ", "u").replace("_", " ")
    words = set(re.findall(r"[a-zå]+", text))
    if _INVERSE_CM.search(text):
        return Meaning("raman_shift_cm1") if "raman" in text else Meaning("wavenumber_cm1", vague=True)
    if re.search(r"2\s*-?\s*theta|two\s*-?\s*theta|2θ|2\s*th\b", text):
        return Meaning("two_theta_deg")
    energy = _unit(words, _ENERGY)
    if {"binding", "kinetic", "kin"} & words or re.search(r"\bb\.?e\.?\b.*ev|\bk\.?e\.?\b.*ev", text):
        name = "kinetic_energy_ev" if {"kinetic", "kin", "ke"} & words else "binding_energy_ev"
        return Meaning(name, energy or 1.0)
    if energy:
        return Meaning("energy_ev", energy, vague=True)
    if _unit(words, _LENGTH):
        return Meaning("wavelength_nm", _unit(words, _LENGTH) or 1.0)
    if _unit(words, _TIME):
        return Meaning("time_ns", _unit(words, _TIME) or 1.0)
    if words & {"chan", "channel", "pixel", "bin"}:
        return Meaning("channel")
    return Meaning("wavelength_nm", 0.0) if {"wavelength", "lambda"} & words else Meaning(None)


def _unit(words: set[str], table: dict[str, float]) -> float | None:
    for word in sorted(words):
        for form in (word, word.removesuffix("s")):
            if form in table:
                return table[form]
    return None


def settle_axis(header: str, asked: str | None, low: float, high: float) -> tuple[str, float]:
    """Return the axis of a text file and the factor that converts its first column.

    Args:
        header: the words over the first column, ``""`` where there are none.
        asked: the axis the caller takes a file without such words to have, or None.
        low: smallest value of the column.
        high: largest value.

    Returns:
        Name of the axis and factor.

    Raises:
        InputError: unknown or contradictory.
    """
    if asked is not None:
        check.one_of(asked, AXIS_UNITS, "The axis")
    said = axis_meaning(header)
    if said.axis is None or (said.factor == 0.0 and not (asked is None and 100 <= low <= high <= 30000)):
        if asked is None:
            raise InputError(
                "No header says what its first column is; say so with axis=, one of " + ", ".join(AXIS_UNITS) + "."
            )
        return asked, 1.0
    factor = said.factor or 1.0
    if asked is None or asked == said.axis:
        return said.axis, factor
    if AXIS_UNITS[asked] == AXIS_UNITS[said.axis]:
        return (asked if said.vague else said.axis), factor
    raise InputError(
        f'Its header says "{one_line(header, 60)}", which is {said.axis}, but axis="{asked}" was asked for; '
        "leave axis out, or convert the file."
    )


def units_meaning(header: str) -> str | None:
    """Return the unit of a signal from the words over its column, or None where they name none."""
    text = header.lower().strip()
    if re.search(r"%|percent", text):
        return "percent"
    if re.search(r"cps|counts?\s*(/|per)\s*s|cts\s*/\s*s|count\s*rate|s-1", text):
        return "cps"
    if re.search(r"\bcounts?\b|\bcts\b|\bevents\b|\bphotons\b", text):
        return "counts"
    if re.search(r"absorbance|optical density|\bo\.?d\.?\b|\(abs\)", text):
        return "1"
    if re.search(r"a\.\s?u\.|arb|normali[sz]ed", text):
        return "arb"
    return None


def is_error(header: str) -> bool:
    """Whether the words over a column say that it holds standard errors."""
    return bool(re.search(r"\berr(or)?s?\b|sigma|std|stdev|uncertaint|\bsd\b|\besd\b|σ|±|\+/-|\+-", header.lower()))
