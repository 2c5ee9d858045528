"""Rules between statements and what the library knows: crystals, core levels, formulas, lines of lasers."""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import cache
from itertools import product

from perolas.core.errors import InputError
from perolas.matter import compounds, crystal, laser_lines
from perolas.matter import formula as formulas
from perolas.matter.parameters_library import library, physical_parameter
from perolas.study.audit.rules import Case, Found, Rule, compare, known, pairs, plain
from perolas.study.audit.said import Said, told
from perolas.study.expression import number

_NM = 1e-9


def _library(name: str) -> float:
    found = physical_parameter(name)
    return number(found.value, {}, found.unit).value


def _tube_nm(radiation: str) -> tuple[float, float] | None:
    """Return the shortest and longest K alpha wavelength of a tube, nm, or None where it is not known."""
    names = [n for n in (f"{radiation}.k_alpha1", f"{radiation}.k_alpha2") if n in library()]
    waves = [physical_parameter(n).value for n in names]
    return (min(waves), max(waves)) if waves else None


def _phase(said: Said) -> crystal.Crystal | None:
    name = said.statement.phase
    return crystal.phase(name) if name in crystal.phases() else None


def _spacing(case: Case) -> Iterator[Found]:
    for said in case.each("d_spacing"):
        found, hkl = _phase(said), said.statement.hkl
        if found is None or hkl is None:
            continue
        d = found.d_spacing_nm(hkl)
        std = d * max(s / c for s, c in zip(found.cell_std[:3], found.cell[:3], strict=True))
        outcome = compare(
            plain(said), "=", known(d * _NM, std * _NM, said.number.unit), _library("audit.spacing_scale")
        )
        word = "is" if outcome.holds else "is not"
        plane = " ".join(map(str, hkl))
        sentence = f"The spacing {told(said)} {word} that of ({plane}) of {found.name}, {d:.4f} nm."
        yield (said.statement.name,), outcome.holds, sentence, outcome.times, outcome.sigma


def _angle(case: Case) -> Iterator[Found]:
    for said in case.each("two_theta"):
        found, tube = _phase(said), _tube_nm(said.statement.radiation)
        if found is None or tube is None:
            continue
        hkl = said.statement.hkl
        spacings = [found.d_spacing_nm(hkl)] if hkl else _spacings(found.name, tube[0], _upto_deg(said))
        lines = [2 * math.asin(tube[0] / (2 * d)) for d in spacings if 2 * d > tube[0]]
        if not lines:
            continue
        line = min(lines, key=lambda x: abs(x - said.number.value))
        top = 2 * math.asin(min(1.0, math.sin(line / 2) * tube[1] / tube[0]))
        there = known(line, 0.0, said.number.unit, _library("audit.angle_error") + top - line)
        outcome = compare(plain(said), "=", there)
        what = f"({' '.join(map(str, hkl))})" if hkl else "the nearest line"
        word = "is" if outcome.holds else "is not"
        where = f"{math.degrees(line):.2f} degrees with {said.statement.radiation}"
        sentence = f"The angle {told(said)} {word} that of {what} of {found.name}, {where}."
        yield (said.statement.name,), outcome.holds, sentence, outcome.times, outcome.sigma


def _upto_deg(said: Said) -> int:
    """Return how far lines have to be known: some degrees beyond an angle, in steps, so that they are kept."""
    return min(180, 30 * (1 + int(math.degrees(max(said.number.value, 0.0)) + 5) // 30))


@cache
def _spacings(phase: str, wavelength_nm: float, upto_deg: int) -> list[float]:
    """Return the spacings of a phase that diffract up to an angle and are not too weak to see, nm."""
    try:
        seen = crystal.phase(phase).reflections(wavelength_nm, two_theta_max=float(upto_deg))
    except InputError:  # too many: everything would fit
        return []
    return [float(d) for d, i in zip(seen.d_nm, seen.intensity, strict=True) if i > 0.1]


def _bragg_of_tube(case: Case) -> Iterator[Found]:
    for d, angle in product(case.each("d_spacing"), case.each("two_theta")):
        tube = _tube_nm(angle.statement.radiation)
        same = d.statement.phase == angle.statement.phase and d.statement.hkl == angle.statement.hkl
        if tube is None or not same or d.number.value <= 0:
            continue
        line = 2 * math.asin(min(1.0, tube[0] * _NM / (2 * d.number.value)))
        slack = _library("audit.angle_error") + abs(math.tan(line / 2)) * 2 * (
            d.half / d.number.value + tube[1] / tube[0] - 1
        )
        std = abs(math.tan(line / 2)) * 2 * d.number.std / d.number.value
        outcome = compare(plain(angle), "=", known(line, std, angle.number.unit, slack))
        word = "belongs to" if outcome.holds else "does not belong to"
        where = f"{math.degrees(line):.2f} degrees with {angle.statement.radiation}"
        sentence = f"The angle {told(angle)} {word} the spacing {told(d)}, which diffracts at {where}."
        yield (d.statement.name, angle.statement.name), outcome.holds, sentence, outcome.times, outcome.sigma


def _tube(case: Case) -> Iterator[Found]:
    for said in case.each("xray_wavelength"):
        tube = _tube_nm(said.statement.radiation)
        if tube is not None:
            low, high = (w * _NM for w in tube)
            centre = known((low + high) / 2, 0.0, said.number.unit, (high - low) / 2)
            outcome = compare(plain(said), "=", centre, 1e-3)
            word = "is" if outcome.holds else "is not"
            sentence = (
                f"The wavelength {told(said)} {word} that of K alpha of {said.statement.radiation}, {tube[0]:.5f} nm."
            )
            yield (said.statement.name,), outcome.holds, sentence, outcome.times, outcome.sigma


def _doublet(case: Case) -> Iterator[Found]:
    for a, b in pairs(case.each("core_level")):
        level = a.statement.level
        if level != b.statement.level or a.statement.component == b.statement.component:
            continue
        if f"{level}.splitting" not in library():
            continue
        expected = physical_parameter(f"{level}.splitting")
        there = number(expected.value, {"library": expected.std}, expected.unit)
        apart = abs(a.number.value - b.number.value)
        seen = known(apart, math.hypot(a.number.std, b.number.std), a.number.unit, a.half + b.half)
        outcome = compare(seen, "=", known(there.value, there.std, there.unit))
        word = "fits" if outcome.holds else "is not"
        ev = number(1.0, {}, "eV").value
        lines = f"The lines of {level}, {told(a)} and {told(b)}"
        sentence = f"{lines}, are {apart / ev:.3g} eV apart, which {word} the splitting, {expected.value:.2f} eV."
        yield (a.statement.name, b.statement.name), outcome.holds, sentence, outcome.times, outcome.sigma


def _laser(case: Case) -> Iterator[Found]:
    for said in case.each("wavelength"):
        laser = laser_lines.laser_named(said.statement.laser) if said.statement.laser else None
        if laser is not None:
            nearest = laser_lines.nearest_nm(laser, said.number.value / _NM)
            there = known(nearest * _NM, 0.0, said.number.unit)
            strict = Said(said.statement, said.number, min(said.half, 0.5 * _NM), said.shown)
            outcome = compare(plain(strict), "=", there, _library("audit.laser_line_error"))
            word = "is" if outcome.holds else "is not"
            sentence = f"{told(said)} {word} a wavelength of the {laser} laser; the nearest is {nearest:.5g} nm."
            yield (said.statement.name,), outcome.holds, sentence, outcome.times, outcome.sigma


def _molar_mass(case: Case) -> Iterator[Found]:
    for said in case.each("molar_mass"):
        expected = formulas.parse(compounds.find(said.statement.compound).formula).molar_mass_g_mol
        outcome = compare(plain(said), "=", known(expected * 1e-3, 0.0, said.number.unit), 0.002)
        word = "is" if outcome.holds else "is not"
        sentence = f"The molar mass {told(said)} {word} that of {said.statement.compound}, {expected:.5g} g/mol."
        yield (said.statement.name,), outcome.holds, sentence, outcome.times, outcome.sigma


def _ratio(case: Case) -> Iterator[Found]:
    for row in case.numbers.get("atomic_ratio", []):
        statement = row[0].statement
        atoms = compounds.find(statement.compound).atoms
        elements = statement.elements
        if any(s.number.value <= 0 for s in row):
            continue
        first = row[0]
        for said, element in list(zip(row, elements, strict=True))[1:]:
            if not (atoms.get(element) and atoms.get(elements[0])):
                yield (
                    (statement.name,),
                    False,
                    f"{statement.compound} has no such pair as {elements[0]}:{element}.",
                    None,
                    None,
                )
                continue
            value = said.number.value / first.number.value
            relative = [(s.half / s.number.value, s.number.std / s.number.value) for s in (said, first)]
            seen = known(value, value * math.hypot(*(r[1] for r in relative)), said.number.unit,
                         value * sum(r[0] for r in relative))  # fmt: skip
            outcome = compare(seen, "=", known(atoms[element] / atoms[elements[0]], 0.0, said.number.unit), 0.15)
            word = "is" if outcome.holds else "is not"
            sentence = (
                f"{element}:{elements[0]} of {told(first)} is {value:.3g}, which {word} that of {statement.compound}."
            )
            yield (statement.name,), outcome.holds, sentence, outcome.times, outcome.sigma


def _neutral(case: Case) -> Iterator[Found]:
    charges: dict[str, set[int]] = {}
    for ion in compounds.ion_names():
        read = formulas.parse(ion)
        if len(read.counts) == 1 and read.counts[0][1] == 1:
            charges.setdefault(read.counts[0][0], set()).add(read.charge)
    given = [row[0].statement for rows in case.numbers.values() for row in rows]
    given += [s for statements in case.words.values() for s in statements]
    for statement in given:
        if not statement.compound:
            continue
        found = compounds.find(statement.compound)
        if all(len(charges.get(e, ())) == 1 for e in found.atoms):
            total = sum(n * next(iter(charges[e])) for e, n in found.atoms.items()) - found.charge
            holds = abs(total) < 1e-9
            word = "is neutral" if holds else f"has a charge of {total:+g} left over"
            yield (
                (statement.name,),
                holds,
                f"{statement.compound} {word} with the usual charges of its ions.",
                None,
                None,
            )


def _sizes(case: Case) -> Iterator[Found]:
    for parent, product_ in product(case.each("parent_size"), case.each("product_size")):
        keeps = product_.statement.keeps or parent.statement.keeps
        before, after = _phase(parent), _phase(product_)
        if (
            before is None
            or after is None
            or not keeps
            or not (before.contents.get(keeps) and after.contents.get(keeps))
        ):
            continue
        ratio = after.volume_nm3 / after.contents[keeps] / (before.volume_nm3 / before.contents[keeps])
        scale = ratio ** (1 / 3)
        error = scale / 3 * math.hypot(*(p.molar_volume_std_cm3 / p.molar_volume_cm3 for p in (before, after)))
        size = parent.number.value * scale
        std = math.hypot(scale * parent.number.std, parent.number.value * error)
        outcome = compare(plain(product_), "=", known(size, std, parent.number.unit, scale * parent.half))
        word = "agrees with" if outcome.holds else "is not"
        left = f"the {size / _NM:.3g} nm that keeping {keeps} leaves of {before.name}, {told(parent)}"
        sentence = f"The size of {after.name}, {told(product_)}, {word} {left}."
        yield (parent.statement.name, product_.statement.name), outcome.holds, sentence, outcome.times, outcome.sigma


MATTER_RULES: tuple[Rule, ...] = (
    Rule("spacing_of_phase", (), "A spacing is that of the planes it is given to.",
         "cells of the library (perolas.matter.crystal)", "disagrees", _spacing),
    Rule("angle_of_phase", (), "A diffraction line lies where the cell puts it.",
         "cells of the library (perolas.matter.crystal)", "disagrees", _angle),
    Rule("bragg_of_tube", ("d_spacing", "two_theta"), "Spacing and angle belong together by Bragg's law.",
         "International Tables for Crystallography C, section 1.1", "disagrees", _bragg_of_tube),
    Rule("tube", (), "An X-ray tube has the wavelength of its anode.", "holzer1997", "disagrees", _tube),
    Rule("doublet", ("core_level",), "The two lines of a core level are one splitting apart.",
         "splittings of the library (matter/parameters/xps.yaml)", "disagrees", _doublet),
    Rule("laser_line", (), "A laser gives the wavelengths of its medium.",
         "weber1999 (matter/parameters/lines/lasers.yaml)", "impossible", _laser),
    Rule("molar_mass_of_formula", (), "A molar mass is that of the formula.", "atomic weights (gemmi)", "disagrees",
         _molar_mass),
    Rule("ratio_of_formula", (), "Atoms of a compound stand in the ratio of its formula, within 15 %.",
         "meaning of a formula", "disagrees", _ratio),
    Rule("compound_neutral", (), "The charges of a compound's ions balance.",
         "ions of the library (matter/parameters/structures/compounds.yaml)", "impossible", _neutral),
    Rule("size_of_phases", ("parent_size", "product_size"),
         "One nanocrystal from one, with all atoms of one element kept, has the volume that the two cells give it.",
         "cells of the library (perolas.matter.crystal)", "impossible", _sizes),
)  # fmt: skip
