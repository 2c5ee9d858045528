"""The XPS model and its fit: physics of the lines, the right number of species, their names, and what is refused.

Truths: analytic areas and steps, `lineshapes` (itself held against scipy), simulated spectra, and for the real files
what anybody reads off the plotted data (shared/data/SOURCES.md).
"""

from __future__ import annotations

import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from perolas import io
from perolas.core.errors import InputError
from perolas.core.invert import invert
from perolas.core.measurement import simulate as draw
from perolas.core.observation import make_observation
from perolas.core.parameter import replace
from perolas.matter.parameters_library import library, parameter_value
from perolas.matter.specimen import Specimen
from perolas.measurements import lineshapes, xps
from perolas.measurements.xps_levels import level, levels
from perolas.measurements.xps_lines import doublets, doublets_with_columns, running_integrals

ENERGY = 134.0 + 0.05 * np.arange(281)  # one axis for all: one compilation


def spectrum(seed=0, **options):
    return xps.simulate(axis_ev=ENERGY, seed=seed, **options)


def chosen(estimate):
    return next(row["species"] for row in estimate.extra["evidence"] if row["chosen"])


def names(estimate):
    return [row["name"] for row in estimate.extra["species"]]


# --- the model ---


@pytest.mark.full
@pytest.mark.parametrize(
    "energy", [ENERGY[::5], ENERGY[::-5], np.linspace(134, 148, 20) ** 1.001], ids=["rising", "falling", "uneven"]
)
def test_written_out_derivatives_are_those_of_the_formula(energy):
    energy = jnp.asarray(energy)

    def formula(v):
        lines = sum(
            v[2 + i]
            / (1 + v[7])
            * (
                lineshapes.pseudo_voigt(energy - v[i], v[4], v[5])
                + v[7] * lineshapes.pseudo_voigt(energy - v[i] - v[6], v[4], v[5])
            )
            for i in range(2)
        )
        return lines

    v = jnp.array([138.3, 139.1, 1000.0, 500.0, 1.1, 0.3, 4.87, 0.75])
    arguments = (energy, v[:2], v[2:4], v[4], v[5], (v[6], v[7]))
    lines, columns = doublets_with_columns(*arguments)
    np.testing.assert_allclose(doublets(*arguments), formula(v), rtol=1e-12, atol=1e-10)
    np.testing.assert_allclose(lines, formula(v), rtol=1e-12, atol=1e-10)
    order = ("position", "area", "fwhm", "lorentz_share", "splitting", "area_ratio")
    rows = jnp.stack([row for name in order for row in columns[name]])
    np.testing.assert_allclose(rows, jax.jacfwd(formula)(v).T, rtol=1e-10, atol=1e-9)


@pytest.mark.full
@pytest.mark.parametrize("background", ["linear", "shirley"])
@pytest.mark.parametrize("level", ["Pb 4f", "C 1s"])
def test_derivatives_written_out_are_those_of_the_expected_signal(background, level):
    model = xps.Xps.of(np.linspace(280.0, 290.0, 60), level=level, species=2, background=background)
    model = replace(model, slope=jnp.asarray(3.0), position_ev=jnp.array([284.0, 286.0]))
    fields = [
        row.field for row in xps.PARAMETERS if level == "Pb 4f" or row.field not in ("splitting_ev", "area_ratio")
    ]
    if background == "linear":
        fields.remove("shirley")
    expected, columns = model.expected_with_columns(frozenset(fields))
    np.testing.assert_allclose(expected, model.expected(), rtol=1e-13)
    for field in fields:
        change = jax.jacfwd(lambda value, field=field: replace(model, **{field: value}).expected())(
            getattr(model, field)
        )
        np.testing.assert_allclose(
            jnp.stack(columns[field]).reshape(change.T.shape), change.T, rtol=1e-9, atol=1e-8, err_msg=field
        )


@pytest.mark.parametrize("count", [2, 16, 17, 18, 281, 290])
def test_running_integrals_are_those_of_lineshapes(count):
    rows = np.random.default_rng(0).normal(size=(3, count))
    for energy in (np.linspace(0, 1, count) ** 1.3, 5 - np.linspace(0, 1, count)):
        wanted = [lineshapes.running_integral(jnp.asarray(r), jnp.asarray(energy)) for r in rows]
        np.testing.assert_allclose(running_integrals(jnp.asarray(rows), jnp.asarray(energy)), wanted, atol=1e-12)


@pytest.mark.full
@pytest.mark.parametrize("background", xps.BACKGROUNDS)
def test_gradient_against_finite_differences(background):
    model = xps.example(background=background)
    for field in ("fwhm_ev", "background_counts", "shirley", "slope", "splitting_ev", "area_ratio", "lorentz_share"):
        value = float(getattr(model, field))
        step = 1e-4 * max(abs(value), 0.1)

        def at(v, field=field):
            return replace(model, **{field: jnp.asarray(v)}).expected()

        exact = jax.jacfwd(at)(value)
        numeric = (at(value + step) - at(value - step)) / (2 * step)
        np.testing.assert_allclose(exact, numeric, atol=1e-6 * max(1.0, float(jnp.max(jnp.abs(exact)))))


def test_areas_ratio_and_step_are_what_they_are_called():
    energy = np.arange(60.0, 220.0, 0.05)
    model = xps.Xps.of(energy, species=1, lorentz_share=0.0, area=[1000.0], background_counts=0.0, shirley=0.02)
    lines = np.asarray(model.components()["species_1"])
    assert np.trapezoid(lines, energy) == pytest.approx(1000.0, rel=1e-9)
    middle = 138.3 + 4.87 / 2
    upper = np.trapezoid(lines[energy > middle], energy[energy > middle])
    assert upper / np.trapezoid(lines[energy <= middle], energy[energy <= middle]) == pytest.approx(0.75, rel=1e-3)
    assert model.expected()[-1] == pytest.approx(0.02 * 1000.0, rel=1e-9)  # the step of the Shirley background
    assert model.expected()[0] == pytest.approx(0.0, abs=1e-9)


def test_the_direction_of_the_axis_does_not_matter():
    model = xps.example()
    turned = xps.Xps.of(ENERGY[::-1], species=("lead halide", "lead oleate"))
    turned = replace(
        turned, **{f: getattr(model, f) for f in ("position_ev", "area", "fwhm_ev", "background_counts", "shirley")}
    )
    np.testing.assert_allclose(turned.expected()[::-1], model.expected(), rtol=1e-12)


def test_components_add_up():
    model = xps.example()
    np.testing.assert_allclose(sum(model.components().values()), model.expected(), rtol=1e-12)


def test_a_single_line_has_no_partner():
    model = xps.Xps.of(np.arange(280.0, 292.0, 0.1), level="C 1s", species=2)
    assert set(model.derived()) == {"fraction_1", "fraction_2", "area_total"}
    assert np.argmax(np.asarray(model.components()["species_1"])) == np.argmin(np.abs(model.axis - 284.8))


@pytest.mark.full
def test_every_level_of_the_parameter_file_makes_a_spectrum():
    assert {"Pb 4f", "Au 4f", "Br 3d", "Cs 3d", "I 3d", "C 1s", "O 1s", "N 1s", "S 2p"} <= set(levels())
    for name, found in levels().items():
        data = xps.simulate(level=name, seed=1)
        assert data["signal"].values.max() == pytest.approx(1e4, rel=0.1)
        assert (found.splitting_ev > 0) == found.is_doublet
    assert set(xps.PARAMETERS_USED) <= set(library())
    assert level("pb4f") is level("Pb 4f")


@pytest.mark.full
def test_a_specimen_decides_the_shares_and_keeps_the_total():
    model = xps.example()
    seen = model.respond(Specimen.of("CsPbBr3", ligand_coverage=0.5))
    share = 0.5 * parameter_value("Pb 4f.outer_layer_weight")
    assert float(seen.derived()["fraction_2"]) == pytest.approx(share)
    assert float(seen.area.sum()) == pytest.approx(float(model.area.sum()))
    data = draw(model, Specimen.of("CsPbBr3", ligand_coverage=0.8), seed=3)
    found = invert(
        model, data, Specimen.of("CsPbBr3"), free=["ligand_coverage", "position", "fwhm", "background", "shirley"]
    )
    assert abs(found["ligand_coverage"].value - 0.8) < 4 * found["ligand_coverage"].std


def test_simulation_repeats_itself():
    assert np.array_equal(spectrum(5)["signal"], spectrum(5)["signal"])
    assert not np.array_equal(spectrum(5)["signal"], spectrum(6)["signal"])


# --- the fit ---

SETS = {
    "one doublet": ({"position_ev": [138.4]}, 1, None),
    "halide and oleate": ({"position_ev": [138.4, 139.1], "area": [0.65, 0.35]}, 2, ["lead halide", "lead oleate"]),
    "the same, charged": ({"position_ev": [139.1, 139.8], "area": [0.65, 0.35]}, 2, ["lead halide", "lead oleate"]),
    "halide and metal": ({"position_ev": [138.3, 136.7], "area": [0.85, 0.15]}, 2, ["lead halide", "metallic lead"]),
    "the same, charged ": ({"position_ev": [139.1, 137.5], "area": [0.85, 0.15]}, 2, ["lead halide", "metallic lead"]),
    "falling background": (
        {"position_ev": [138.4, 139.1], "area": [0.65, 0.35], "background_counts": 0.6, "slope": -0.03},
        2,
        ["lead halide", "lead oleate"],
    ),
}


@pytest.mark.full
@pytest.mark.parametrize("case", SETS)
def test_number_and_names_of_species(case):
    options, count, wanted = SETS[case]
    for seed in range(3):
        estimate = xps.fit(spectrum(seed, **options))
        assert estimate.result == "converged"
        assert chosen(estimate) == count
        if wanted:
            assert names(estimate) == wanted
            true = options["area"][1]
            assert abs(estimate["fraction_2"].value - true) < 5 * estimate["fraction_2"].std
            assert f"fraction_{wanted[1].replace(' ', '_')}" in estimate.quantities
        for i, position in enumerate(options["position_ev"], start=1):
            fitted = np.sqrt(max(estimate[f"position_{i}"].std ** 2 - 0.1**2, 1e-8))
            assert abs(estimate[f"position_{i}"].value - position) < 5 * fitted


@pytest.mark.full
@pytest.mark.parametrize(("case", "least"), [("one doublet", 0.98), ("halide and oleate", 0.99)])
def test_rates_of_the_right_number_of_species(case, least):
    options, count, _ = SETS[case]
    for counts in (1e3, 1e4):
        right = [chosen(xps.fit(spectrum(seed, counts=counts, **options))) == count for seed in range(100)]
        assert np.mean(right) >= least


@pytest.mark.full
def test_three_species():
    estimate = xps.fit(spectrum(1, position_ev=[138.3, 139.0, 136.7], area=[0.5, 0.3, 0.2]))
    assert names(estimate) == ["lead halide", "lead oleate", "metallic lead"]


def test_noise_alone_is_called_no_signal():
    options = {"position_ev": [138.4], "area": [1e-9], "background_counts": 1.0, "shirley": 0.0, "counts": 1e3}
    for seed in range(3):
        estimate = xps.fit(spectrum(seed, slope=-0.03 * seed, **options))
        assert not estimate.extra["detected"]
        assert estimate.extra["evidence"][0]["chosen"]
        assert estimate.warnings[0].startswith("No Pb 4f signal was found")
        assert estimate.extra["area_limit_95"] < 150


def test_a_second_species_that_is_not_there_gets_an_upper_limit():
    estimate = xps.fit(spectrum(2, position_ev=[138.4]))
    assert any("95 % confidence" in n and "metallic lead" in n for n in estimate.notes)
    assert estimate.extra["share_limits_95"]["metallic lead"] < 0.02
    assert names(estimate)[0].startswith("undecided between")  # charging unknown: one position alone cannot tell


def test_a_charge_corrected_file_makes_the_position_count():
    data = spectrum(2, position_ev=[138.3])
    data.attrs["conditions"] = json.dumps({"charge_corrected": True})
    assert names(xps.fit(data)) == ["lead halide"]


@pytest.mark.full
def test_kinetic_energies_and_other_noise_give_the_same_species():
    data = spectrum(4, position_ev=[138.4, 139.1], area=[0.65, 0.35])
    kinetic = make_observation(data["signal"].values, "kinetic_energy_ev", 1486.69 - ENERGY)
    straight, turned = xps.fit(data), xps.fit(kinetic, photon_energy=1486.69)
    assert turned["fraction_2"].value == pytest.approx(straight["fraction_2"].value, abs=1e-5)
    rng = np.random.default_rng(0)
    scaled = data["signal"].values / 1e4 + rng.normal(0, 0.003, ENERGY.size)
    free = xps.fit(make_observation(scaled[::-1], "binding_energy_ev", ENERGY[::-1], units="1"))
    assert chosen(free) == 2
    assert free["area_1"].unit == "eV"
    assert abs(free["fraction_2"].value - 0.35) < 5 * free["fraction_2"].std


def test_the_energy_reference_moves_all_positions_together():
    estimate = xps.fit(spectrum(1, position_ev=[138.4, 139.1], area=[0.65, 0.35]), reference_std=0.5)
    assert estimate["position_1"].std == pytest.approx(0.5, rel=1e-3)
    assert estimate.correlation("position_1", "position_2") > 0.999
    assert estimate["fwhm"].std < 0.02


@pytest.mark.full
def test_free_fix_and_guess():
    data = spectrum(1, position_ev=[138.4, 139.1], area=[0.65, 0.35])
    freed = xps.fit(data, species=2, free=("splitting",), fix=("fwhm",), guess={"fwhm": 1.1, "position_1": 138.5})
    assert abs(freed["splitting"].value - 4.87) < 5 * freed["splitting"].std
    assert freed.fixed["fwhm"].value == 1.1
    assert "fwhm" not in freed.names
    linear = xps.fit(data, background="linear")
    assert "slope" in linear.names
    assert "shirley" not in linear.names


def test_an_unneeded_species_that_was_asked_for_is_called_that():
    estimate = xps.fit(spectrum(1, position_ev=[138.4]), species=2)
    assert any("do not need" in n for n in estimate.notes)


@pytest.mark.full
@pytest.mark.parametrize("background", xps.BACKGROUNDS)
def test_a_batch_through_invert(background):
    model = xps.example(background=background)
    signals = draw(model, seed=2, batch=70)["signal"].values
    estimate = invert(model, signals, free=model.free_by_default)
    assert np.all(estimate.result == "converged")
    pulls = (estimate.values[:, 0] - float(model.position_ev[0])) / estimate.std[:, 0]
    assert abs(pulls.mean()) < 4 / np.sqrt(70)
    assert abs(pulls.std() - 1) < 4 / np.sqrt(140)


# --- what is refused ---


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"level": "Pb 5f"}, 'did you mean "Pb 4f"'),
        ({"level": "C 1s"}, "C 1s lies at 284.8 to 288.6 eV, but the data run from 134 to 148 eV"),
        ({"species": "4"}, 'must be 1, 2, 3 or "auto"'),
        ({"species": "many"}, 'must be 1, 2, 3 or "auto"'),
        ({"background": "tougaard"}, "there are: linear, shirley"),
        ({"window": (138.0, 138.2)}, "needs at least 12"),
        ({"reference_std": -1.0}, "must be zero or positive"),
        ({"noise": "white"}, "there are: auto, estimated, poisson"),
        ({"free": ("colour",)}, 'The parameter "colour" is not known'),
        ({"guess": {"colour": 1.0}}, "The guess"),
    ],
)
def test_bad_options_are_refused_in_a_sentence(options, sentence):
    with pytest.raises(InputError, match=sentence.replace("(", r"\(")):
        xps.fit(spectrum(0, position_ev=[138.4]), **options)


def test_bad_observations_are_refused_in_a_sentence():
    with pytest.raises(InputError, match="kinetic and the file does not give the photon energy"):
        xps.fit(make_observation(np.ones(281), "kinetic_energy_ev", 1486.69 - ENERGY))
    with pytest.raises(InputError, match="needs an axis of binding or kinetic energies"):
        xps.fit(make_observation(np.ones(281), "time_ns", ENERGY))
    with pytest.raises(InputError, match="nothing to fit"):
        xps.fit(make_observation(np.ones(281), "binding_energy_ev", ENERGY))
    with pytest.raises(InputError, match="one spectrum at a time"):
        xps.fit(make_observation(np.ones((2, 281)), "binding_energy_ev", ENERGY))
    with pytest.raises(InputError, match="species"):
        xps.Xps.of(ENERGY, species=["lead chromate"])


# --- real files ---


def test_lead_iodide_film(data_dir):
    data = io.read(data_dir / "xps" / "single_sample.vms", region="Pb 4f")
    estimate = xps.fit(data)
    assert chosen(estimate) == 2
    assert estimate["position_1"].value == pytest.approx(138.8, abs=0.1)
    assert estimate["position_partner_1"].value == pytest.approx(143.7, abs=0.1)
    assert estimate["position_2"].value == pytest.approx(137.1, abs=0.1)
    assert estimate["position_partner_2"].value == pytest.approx(142.0, abs=0.1)
    assert names(estimate) == ["lead halide", "metallic lead"]
    assert any(n.startswith("One doublet is not adequate") and "which is metallic lead" in n for n in estimate.notes)
    assert any("chi-square" in w for w in estimate.warnings)
    freed = xps.fit(data, free=("splitting",))
    assert freed["splitting"].value == pytest.approx(4.87, abs=0.02)
    assert names(freed) == names(estimate)


@pytest.mark.full
def test_survey_of_the_same_film_is_cut_to_the_level(data_dir):
    estimate = xps.fit(io.read(data_dir / "xps" / "single_sample.vms", region="wide"))
    assert estimate.n_points < 30
    assert estimate["position_1"].value == pytest.approx(138.8, abs=0.5)


@pytest.mark.full
def test_clean_gold(data_dir):
    data = io.read(data_dir / "xps" / "clean_Au_4f.csv")
    estimate = xps.fit(data, level="Au 4f", free=("splitting",))
    assert estimate["splitting"].value == pytest.approx(3.67, abs=0.02)
    # 180 eV less 92.3 eV: the work function is not in the axis, and the fit says so
    assert estimate["position_1"].value == pytest.approx(87.65, abs=0.1)
    assert any("work function" in w for w in estimate.warnings)
    moved = xps.fit(data, level="Au 4f", photon_energy=180.0 - 3.63)
    assert moved["position_1"].value == pytest.approx(84.0, abs=0.05)
