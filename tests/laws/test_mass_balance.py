"""Atoms are neither made nor lost: every step of a recipe keeps each element to 1e-12 of its amount, and the charge.

The tolerance is that of sums of float64: a step makes a few additions, each good to 1e-16 of the larger term.
"""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from perolas.core.errors import InputError
from perolas.matter import compounds, formula, recipe

SALTS = ("Cs2CO3", "PbBr2", "CsBr", "PbI2", "CsCl", "caesium oleate", "lead oleate", "Cs4PbBr6", "CsPbBr3", "BiBr3")
LIQUIDS = ("oleic acid", "oleylamine", "toluene", "water", "octadecene")
TARGETS = ("Cs4PbBr6", "CsPbBr3", "CsPb2Br5", "Cs3Bi2Br9", "PbBr2", "CsPbBr1.5Cl1.5")
REACTIONS = (
    "Cs4PbBr6 -> CsPbBr3 + 3 CsBr",
    "2 CsPbBr3 -> CsPb2Br5 + CsBr",
    "CsPbBr3 + 3 CsBr -> Cs4PbBr6",
    "Cs2CO3 + 2 oleic acid -> 2 caesium oleate + H2O + CO2",
    "CsBr + PbBr2 -> CsPbBr3",
)


def amounts(units: tuple[str, ...]) -> st.SearchStrategy[str]:
    number = st.floats(min_value=1e-6, max_value=1e6, allow_nan=False)
    return st.builds(lambda n, unit: f"{n!r} {unit}", number, st.sampled_from(units))


share = st.one_of(st.just(1.0), st.floats(min_value=0, max_value=1)).map(lambda x: f"{x:.17f}")
steps = st.one_of(
    st.builds(
        'add = "{}"\namount = "{}"'.format, st.sampled_from(SALTS), amounts(("mol", "mmol", "umol", "g", "mg", "kg"))
    ),
    st.builds('add = "{}"\namount = "{}"'.format, st.sampled_from(LIQUIDS), amounts(("mL", "uL", "g", "mol"))),
    st.builds(
        'add = "{}"\namount = "{}"\nof = "{} in 8 mL {}"'.format,
        st.sampled_from(SALTS),
        amounts(("mL", "uL")),
        amounts(("mg", "mmol")),
        st.sampled_from(LIQUIDS),
    ),
    st.builds('make = "{}"\nconversion = {}'.format, st.sampled_from(TARGETS), share),
    st.builds('react = "{}"\nconversion = {}'.format, st.sampled_from(REACTIONS), share),
    st.builds(
        'react = ["{}", "{}"]\nshares = [{}, 1]\nconversion = {}'.format,
        st.sampled_from(REACTIONS),
        st.sampled_from(REACTIONS),
        st.floats(min_value=1e-3, max_value=1e3),
        share,
    ),
    st.builds('wash = "{}"\nrecovery = {}'.format, st.sampled_from(TARGETS + SALTS), share),
    st.builds('disperse = "{}"\nvolume = "{}"'.format, st.sampled_from(LIQUIDS), amounts(("mL",))),
    st.builds('take = "{}"'.format, amounts(("mL", "uL"))),
    st.builds('dissolve = "{}"'.format, st.sampled_from(("CsBr", "PbBr2", "CsCl"))),
)


def lines(listed: list[str]) -> str:
    named = [f'[[step]]\nname = "s{i}"\n{step}\n' for i, step in enumerate(listed)]
    return "".join(["[recipe]\ntitle = 'random'\n", *named])


# Pots with something in them, so that the steps after it have something to act on.
START = ['add = "Cs2CO3"\namount = "3 mmol"', 'add = "PbBr2"\namount = "1 mmol"', 'add = "oleic acid"\namount = "9 mL"']


@pytest.mark.full
@settings(max_examples=200, deadline=None, derandomize=True)
@given(st.lists(steps, min_size=1, max_size=12))
def test_random_recipes_keep_every_atom(listed: list[str]) -> None:
    """Steps that cannot be done (nothing to react) are dropped, so that what is tested is as long as it can be."""
    kept = list(START)
    for step in listed:
        try:
            recipe.load(lines([*kept, step])).balance()
        except InputError:
            continue
        kept.append(step)
    balance = recipe.load(lines(kept)).balance()
    assert balance.conservation <= 1e-12
    ledgers = (balance.contents, balance.removed, balance.aside)
    assert all(mol >= 0 for ledger in ledgers for mol in ledger.values())
    # Salts are neutral: what is charged adds up to nothing, of all the atoms that went in.
    every = [(balance._pot.compounds[f].charge * n) for ledger in ledgers for (f, _), n in ledger.items()]
    assert abs(sum(every)) <= 1e-12 * sum(added for added, _ in balance.elements().values())


def test_the_papers_recipe_keeps_every_atom() -> None:
    from perolas.study.schema import find

    balance = recipe.load(find("yang2020").with_name("recipe.toml")).balance()
    assert balance.conservation <= 1e-12
    assert set(balance.elements()) == {"Pb", "Br", "Cs", "C", "H", "O", "N"}


def test_the_law_can_fail() -> None:
    balance = recipe.load(lines(START)).balance()
    place = ("PbBr2", "")
    balance.contents[place] *= 1 + 1e-9
    assert balance.conservation > 1e-12
    balance.contents["C7H8", ""] = 1.0
    balance._pot.compounds["C7H8"] = compounds.find("toluene")
    balance._pot.compounds["N2"] = compounds.find("N2")
    balance.contents["N2", ""] = 1.0
    assert balance.conservation == float("inf")


groups = st.recursive(
    st.tuples(st.sampled_from(("Cs", "Pb", "Br", "C", "H", "O", "N")), st.integers(1, 40)).map(
        lambda t: (f"{t[0]}{t[1] if t[1] > 1 else ''}", {t[0]: float(t[1])})
    ),
    lambda inner: st.tuples(st.lists(inner, min_size=1, max_size=4), st.integers(1, 9)).map(
        lambda t: (
            f"({''.join(text for text, _ in t[0])}){t[1] if t[1] > 1 else ''}",
            {e: t[1] * sum(c.get(e, 0.0) for _, c in t[0]) for e in {k for _, c in t[0] for k in c}},
        )
    ),
    max_leaves=6,
)


@settings(max_examples=200, deadline=None, derandomize=True)
@given(groups)
def test_formulas_count_their_atoms(made: tuple[str, dict[str, float]]) -> None:
    text, counts = made
    assert formula.parse(text).atoms == pytest.approx(counts, rel=1e-15)


@pytest.mark.parametrize("item", compounds.listed().values(), ids=lambda c: c.formula)
def test_listed_salts_are_their_ions(item: compounds.Compound) -> None:
    total: dict[str, float] = {}
    for ion, n in item.ions.items():
        for element, count in compounds.ion(ion).atoms.items():
            total[element] = total.get(element, 0.0) + n * count
    assert not item.ions or total == dict(item.atoms)
    assert sum(n * compounds.ion(i).charge for i, n in item.ions.items()) == item.charge
