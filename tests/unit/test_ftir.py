"""Infrared spectra of ligands: band strengths, surfaces, coverage, limits, and what instruments do to a spectrum."""

from __future__ import annotations

import math

import jax.numpy as jnp
import numpy as np
import pytest

from perolas.core.errors import InputError
from perolas.core.observation import make_observation
from perolas.core.parameter import replace
from perolas.matter.parameters_library import parameter_value
from perolas.matter.specimen import Specimen
from perolas.measurements import ftir
from perolas.measurements.ftir.bands import WINDOWS, band
from perolas.measurements.ftir.model import model
from perolas.measurements.ftir.surface import surface_of_specimen

AVOGADRO = 6.02214076e23
TRUE = {"bound": 0.5 * 0.6 * 3.0, "coverage": 0.6}  # per nm2: half of 3 / nm2 times the coverage is oleate


@pytest.fixture(scope="module")
def seen():
    return ftir.simulate(seed=3, coverage=0.6, mass="0.5 +- 0.02 mg/cm^2", free_acid=0.0, noise=2e-4)


@pytest.fixture(scope="module")
def found(seen):
    return ftir.fit(seen, mass="0.5 +- 0.02 mg/cm^2", size="20 +- 1 nm", size_spread=2.0)


def test_a_band_has_the_area_of_beer_and_lambert():
    """Analytic: 100 nmol/cm2 of one molecule of psi = 1 km/mol absorb 1e-7 * 1e5 / ln 10 cm-1 (decadic)."""
    wide = np.linspace(0.0, 3400.0, 20001)
    one = model(wide, ((0.0, 3400.0),), ("carboxylic_co",), other_nmol_cm2=np.array([100.0]), lorentz_share=0.0)
    area = np.trapezoid(np.asarray(one.expected()), wide)
    assert area == pytest.approx(band("carboxylic_co").molecular_strength * 1e-7 * 1e5 / math.log(10.0), rel=1e-6)


def test_reflection_favours_long_waves():
    """Analytic: the depth goes as the wavelength, so equal bands at 2922 and 1545 cm-1 differ by 2922 / 1545."""
    x = np.linspace(1340.0, 3040.0, 3401)
    both = ("ch2_asymmetric", "carboxylate_asymmetric")
    parts = [model(x, ((1340.0, 3040.0),), both, atr=atr).components() for atr in (False, True)]
    change = {n: float(np.max(parts[1][n]) / np.max(parts[0][n])) for n in ("chain", "bound")}
    assert change["bound"] / change["chain"] == pytest.approx(2922.0 / 1545.0, rel=1e-6)


def test_surface_of_a_mass_of_cubes():
    """Arithmetic: 6 / (rho L) for 20 nm cubes of 4.8 g/cm3 (X-ray density) is 62.5 m2/g; quadrature for a spread."""
    sharp = Specimen.of("CsPbBr3", size_nm=20, size_std_nm=0)
    got = float(surface_of_specimen(sharp, jnp.asarray(1.0)))
    assert got / 1e14 == pytest.approx(625.0, rel=0.02)  # cm2 for each mg
    sizes = np.linspace(5.0, 35.0, 30001)
    weight = np.exp(-0.5 * ((sizes - 20.0) / 3.0) ** 2)
    wide = float(surface_of_specimen(Specimen.of("CsPbBr3", size_nm=20, size_std_nm=3), jnp.asarray(1.0)))
    assert wide / got == pytest.approx(20.0 * (weight @ sizes**2) / (weight @ sizes**3), rel=1e-5)


def test_a_specimen_decides_amounts():
    """Arithmetic: coverage 0.5 of 3 / nm2 on 312.5 cm2 for each 0.5 mg, half of it oleate, is 39 nmol/cm2."""
    made = ftir.example().respond(Specimen.of("CsPbBr3", size_nm=20, size_std_nm=0, ligand_coverage=0.5))
    bound = 0.5 * 0.5 * 3.0 * 312.5e14 / AVOGADRO * 1e9
    assert float(made.amount("bound")) == pytest.approx(bound, rel=0.02)
    assert parameter_value("ligand.density") == 3.0
    assert parameter_value("ligand.oleate_share") == 0.5


def test_coverage_comes_back(found):
    assert found.result == "converged"
    for name, true in (("bound_per_nm2", TRUE["bound"]), ("coverage", TRUE["coverage"])):
        assert abs(found[name].value - true) < 3 * found[name].std, name
    assert found["bound_per_nm2"].std / TRUE["bound"] > math.hypot(0.04, 0.05)  # mass and size are in it at least


def test_no_acid_gets_a_limit_and_no_ratio(found):
    """Truth: there was none, so the limit is above zero and the words say that the ratio means little."""
    assert found["free_limit"].value > 0
    assert abs(found["amount_free"].value) < 3 * found["amount_free"].std
    assert "No free acid" in str(found)


def test_acid_is_found_from_its_limit_on(found):
    """Currie: what lies well above the detection limit is found."""
    limit = found["free_detection_limit"].value
    acid = ftir.fit(ftir.simulate(seed=5, coverage=0.6, free_acid=3.0 * limit, noise=2e-4))
    assert acid["amount_free"].value > 1.645 * acid["free_detection_limit"].value / 3.29
    assert abs(acid["amount_free"].value - 3.0 * limit) < 3 * acid["amount_free"].std


def test_transmittance_and_percent_are_the_same_spectrum(seen, found):
    """Beer and Lambert: T = 10^-A; what differs is how noise is weighed, by less than a tenth of an error here."""
    x, a = seen["wavenumber_cm1"].values, seen["signal"].values
    percent = make_observation(100.0 * 10.0**-a, "wavenumber_cm1", x, units="1", technique="ftir")
    other = ftir.fit(percent, quantity="percent")
    for name in ("amount_bound", "amount_chain"):
        assert abs(other[name].value - found[name].value) < 0.1 * found[name].std, name
    with pytest.raises(InputError, match="which no absorbance is"):
        ftir.fit(percent, quantity="absorbance")


@pytest.mark.full
def test_water_vapour_is_taken_out(seen):
    """Truth: 1.5 times a measured spectrum of narrow lines was added; unknown to the fit, it would be bands."""
    x = seen["wavenumber_cm1"].values
    rng = np.random.default_rng(1)
    lines = np.exp(-(((x[:, None] - rng.uniform(1400, 1800, 25)) / 4.0) ** 2))
    gas = lines @ rng.uniform(0, 4e-3, 25)
    vapour = make_observation(gas, "wavenumber_cm1", x, units="1", technique="ftir")
    wet = make_observation(seen["signal"].values + 1.5 * gas, "wavenumber_cm1", x, units="1", technique="ftir")
    dry, cleaned = ftir.fit(seen), ftir.fit(wet, vapour=vapour)
    assert cleaned["vapour"].value == pytest.approx(1.5, abs=4 * cleaned["vapour"].std)
    assert abs(cleaned["amount_bound"].value - dry["amount_bound"].value) < 0.5 * dry["amount_bound"].std


def test_two_spectra_taken_alike_need_no_strengths():
    """Truth: coverages of 0.6 and 0.48; with strengths held, the ratio is good to what the noise leaves."""
    fixed = ["correction_carboxylate_asymmetric", "correction_carboxylate_symmetric"]
    amounts = [
        ftir.fit(ftir.simulate(seed=i, coverage=c, noise=2e-4), fix=fixed)["amount_bound"]
        for i, c in ((1, 0.6), (2, 0.48))
    ]
    ratio = amounts[1].value / amounts[0].value
    std = ratio * math.hypot(*(a.std / a.value for a in amounts))
    assert abs(ratio - 0.8) < 3 * std
    assert std < 0.05


@pytest.mark.full
def test_errors_of_the_whole_fit_are_honest():
    """Pulls of what `fit` returns over 60 spectra whose bands lie, and absorb, within the library's errors."""
    rng = np.random.default_rng(8)
    x = np.arange(WINDOWS[1][0], WINDOWS[0][1], 2.0)
    bands = tuple(n for n in ("ch2_asymmetric", "ch2_symmetric", "carboxylate_asymmetric", "carboxylate_symmetric",
                              "carboxylic_co"))  # fmt: skip
    others = [n for n in ("ch3_stretch", "oleic_alkene_ch", "ch2_scissor", "ammonium_nh3_symmetric",
                          "ammonium_nh3_asymmetric", "water_bend")]  # fmt: skip
    true = {"amount_chain": 60.0, "amount_bound": 40.0, "amount_free": 25.0}
    pulls = []
    for _ in range(60):
        known = [band(n) for n in bands]
        made = model(
            x, ((x[0], x[-1]),), bands, amount_nmol_cm2=np.array([60.0, 40.0]), other_nmol_cm2=np.array([25.0]),
            position_cm1=np.array([rng.normal(k.position.value, k.position.std) for k in known]),
            correction=np.array([rng.normal(0.0, k.strength.std / k.strength.value) for k in known]),
            baseline=np.array([0.05, 0.01, 0.005]),
        )  # fmt: skip
        signal = np.asarray(made.expected()) + 1e-4 * rng.standard_normal(x.size)
        one = ftir.fit(make_observation(signal, "wavenumber_cm1", x, units="1", technique="ftir"), leave_out=others)
        if one.result == "converged":  # what did not says so
            # The logarithm, because the error of a strength is one.
            pulls.append([math.log(one[n].value / v) / (one[n].std / one[n].value) for n, v in true.items()])
    assert len(pulls) >= 57
    mean, std = np.mean(pulls, axis=0), np.std(pulls, axis=0)
    assert np.all(np.abs(mean) < 0.1 + 4 / math.sqrt(60)), mean
    assert np.all(np.abs(std - 1) < 0.05 + 4 / math.sqrt(120)), std


def test_a_wrong_strength_would_be_seen(seen):
    """The test of areas can fail: twice the strength is twice the area."""
    one = model(np.linspace(1340, 3040, 500), ((1340.0, 3040.0),), ("carboxylic_co",), other_nmol_cm2=np.array([9.0]))
    twice = replace(one, correction=jnp.log(jnp.asarray([2.0])))
    assert float(jnp.sum(twice.expected()) / jnp.sum(one.expected())) == pytest.approx(2.0)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"mass": "0.5 mg/cm^2"}, "needs both"),
        ({"mass": "0.5 mg/cm^2", "size": "20 nm", "geometry": "atr"}, "Attenuated"),
        ({"leave_out": ["nothing"]}, "band"),
        ({"quantity": "counts"}, "quantity"),
        ({"mass": "0.5 mg", "size": "20 nm"}, "mass"),
    ],
)
def test_bad_options_are_one_sentence(seen, options, said):
    with pytest.raises(InputError, match=said) as refused:
        ftir.fit(seen, **options)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("low", "high", "step", "said"),
    [
        (400.0, 1200.0, 2.0, "reaches from"),
        (1340.0, 3040.0, 25.0, "too far"),
    ],
)
def test_bad_ranges_are_one_sentence(low, high, step, said):
    x = np.arange(low, high, step)
    with pytest.raises(InputError, match=said):
        ftir.fit(make_observation(np.full(x.size, 0.1), "wavenumber_cm1", x, units="1", technique="ftir"))
