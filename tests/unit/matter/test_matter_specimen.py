"""The specimen: built from words and numbers, immutable, one shape for every composition."""

from __future__ import annotations

import dataclasses

import hypothesis.strategies as st
import jax
import numpy as np
import pytest
from hypothesis import given, settings

from perolas.core.errors import InputError
from perolas.core.parameter import slots
from perolas.matter.formula import parse
from perolas.matter.specimen import PHASES, Sample, Specimen, index_of


def test_fractions_sum_to_one_and_all_phases_are_there():
    specimen = Specimen.of({"Cs4PbBr6": 1, "CsPbBr3": 3})
    assert float(specimen.fraction.sum()) == pytest.approx(1.0)
    assert specimen.fraction.shape == (len(PHASES),)


def test_it_cannot_be_changed():
    with pytest.raises(dataclasses.FrozenInstanceError):
        Specimen.of("CsBr").size_nm = 3.0


def test_any_composition_has_the_same_tree():
    one, two = Specimen.of("CsBr"), Specimen.of({"CsPbBr3": 1, "PbBr2": 2}, strain=0.01)
    assert jax.tree.structure(one) == jax.tree.structure(two)
    assert [np.shape(a) for a in jax.tree.leaves(one)] == [np.shape(a) for a in jax.tree.leaves(two)]


def test_slots_are_named_after_their_phases():
    names = [s.name for s in slots(Specimen.of("CsPbBr3"), "state")]
    assert "fraction_Cs4PbBr6" in names
    assert "trap_ratio" in names


def test_tables_take_units():
    specimen = Specimen.from_table({"phases": {"CsPbBr3": 1}, "size": "0.015 um", "temperature": 77})
    assert float(specimen.size_nm) == pytest.approx(15)
    assert "15 ± 2 nm" in str(specimen)


@pytest.mark.parametrize(
    ("entries", "sentence"),
    [
        ({"phases": "CsPbBr2"}, 'did you mean "CsPbBr3"'),
        ({"phases": {"CsPbBr3": -1}}, "zero or positive"),
        ({"phases": {"CsPbBr3": 0}}, "positive amount"),
        ({"phases": 3}, "name or a table"),
        ({"size": "20 eV"}, "cannot be converted"),
        ({"size": "-1 nm"}, "must lie between"),
        ({"sizes": 2}, 'did you mean "size"'),
    ],
)
def test_bad_tables_are_one_sentence(entries, sentence):
    with pytest.raises(InputError, match=sentence):
        Specimen.from_table(entries)


def test_shape_and_size_law_are_static_and_the_medium_is_a_leaf():
    cube, sphere = Specimen.of("CsPbBr3"), Specimen.of("CsPbBr3", shape="sphere", size_law="lognormal")
    assert jax.tree.structure(cube) != jax.tree.structure(sphere)
    assert jax.tree.structure(cube) == jax.tree.structure(Specimen.of("CsPbBr3", medium_index=1.33))
    assert "diameter" in str(sphere)
    with pytest.raises(InputError, match='did you mean "sphere"'):
        Specimen.of("CsPbBr3", shape="spher")
    with pytest.raises(InputError, match='The size law "gamma" is not known'):
        Specimen.from_table({"size_law": "gamma"})


def test_the_medium_is_toluene_as_the_library_has_it():
    assert float(Specimen.of("CsBr").medium_index) == pytest.approx(index_of("toluene"), abs=5e-4)
    assert float(Specimen.from_table({"medium": "water"}).medium_index) == pytest.approx(1.333, abs=1e-3)
    assert index_of("air") == 1.0
    with pytest.raises(InputError, match="The material"):
        Specimen.from_table({"medium": "toluol"})


@pytest.mark.parametrize("shape", ["cube", "sphere"])
@pytest.mark.parametrize("law", ["normal", "lognormal"])
def test_mean_volume_against_drawn_sizes(law, shape):
    rng = np.random.default_rng(1)
    mean, std, n = 20.0, 5.0, 400_000
    width = np.sqrt(np.log(1 + (std / mean) ** 2))
    sizes = rng.normal(mean, std, n) if law == "normal" else rng.lognormal(np.log(mean) - width**2 / 2, width, n)
    drawn = np.mean(sizes**3) * (np.pi / 6 if shape == "sphere" else 1)
    specimen = Specimen.of("CsPbBr3", size_nm=mean, size_std_nm=std, size_law=law, shape=shape)
    assert float(specimen.mean_volume_nm3()) == pytest.approx(drawn, rel=0.01)


def test_mass_and_lead_fractions():
    """Molar masses of CsPbBr3 (579.8 g/mol) and CsBr (212.8 g/mol); CsPb2Br5 has two lead atoms, CsBr none."""
    salt = Specimen.of({"CsPbBr3": 1, "CsBr": 3})
    assert float(salt.mass_fractions()[PHASES.index("CsBr")]) == pytest.approx(3 * 212.81 / (579.82 + 3 * 212.81), 1e-4)
    mixed = Specimen.of({"CsPbBr3_cubic": 1, "CsPb2Br5": 1, "CsBr": 5})
    assert float(mixed.converted()) == pytest.approx(1 / 3)
    assert float(mixed.phase_fraction("CsBr")) == pytest.approx(5 / 7)
    with pytest.raises(InputError, match="The phase"):
        mixed.phase_fraction("CsBr2")


@given(st.floats(0, 1), st.floats(1, 100))
@settings(max_examples=40, deadline=None)
def test_conversion_conserves_every_atom(converted, size):
    """Atoms for each lead: those of Cs4PbBr6, with the salt; without it three CsBr fewer for each that converted."""
    specimen = Specimen.from_conversion(converted, size)
    assert float(specimen.converted()) == pytest.approx(converted, abs=1e-12)
    atoms = {"Cs": 0.0, "Pb": 0.0, "Br": 0.0}
    for name, fraction in zip(PHASES, np.asarray(specimen.fraction), strict=True):
        for element, count in parse(name.partition("_")[0]).atoms.items():
            atoms[element] += count * float(fraction)
    assert atoms["Cs"] / atoms["Pb"] == pytest.approx(4, rel=1e-12)
    assert atoms["Br"] / atoms["Pb"] == pytest.approx(6, rel=1e-12)
    washed = Specimen.from_conversion(converted, size, keep_salt=False)
    assert float(washed.phase_fraction("CsBr")) == 0
    assert float(washed.converted()) == pytest.approx(converted, abs=1e-12)


def test_conversion_shrinks_the_crystal_by_the_molar_volumes():
    """20 nm to 15.0 nm one to one (283 and 119.9 cm3/mol), or to a size that is given."""
    assert float(Specimen.from_conversion(1.0, 20.0).size_nm) == pytest.approx(15.02, abs=0.03)
    assert float(Specimen.from_conversion(0.0, 20.0).size_nm) == pytest.approx(20.0)
    assert float(Specimen.from_conversion(0.5, 20.0, 20.0, size_std_nm=3.0).size_std_nm) == 3.0
    slope = jax.grad(lambda x: Specimen.from_conversion(x, 20.0).size_nm)(0.5)
    assert float(slope) < 0
    with pytest.raises(InputError, match=r"between 0 and 1, but is 1\.1"):
        Specimen.from_conversion(1.1)


def test_history_stays_outside_and_samples_do_not_change():
    first = Sample(Specimen.of("Cs4PbBr6"), "A")
    second = first.after("125 uL of water,\n 8 h", Specimen.from_conversion(0.5))
    assert first.history == ()
    assert second.history == ("125 uL of water, 8 h",)
    assert "1. 125 uL of water, 8 h" in str(second)
    compiled = []

    @jax.jit
    def size(specimen):
        compiled.append(1)
        return specimen.size_nm * 2

    size(first.specimen)
    size(second.specimen)
    assert len(compiled) == 1
    with pytest.raises(InputError, match="words"):
        first.after(" ", first.specimen)
