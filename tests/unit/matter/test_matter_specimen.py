"""The specimen: built from words and numbers, immutable, one shape for every composition."""

from __future__ import annotations

import dataclasses

import jax
import numpy as np
import pytest

from perolas.core.errors import InputError
from perolas.core.parameter import slots
from perolas.matter.specimen import PHASES, Specimen


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
