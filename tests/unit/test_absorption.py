"""Absorption: the edge against its limits and direct integration, diffuse light against the equations behind it, fits
of known spectra, what a path and a window leave open, and bad input."""

from __future__ import annotations

import json

import jax
import numpy as np
import pytest
from scipy.integrate import quad
from scipy.linalg import expm

from perolas import Specimen
from perolas.core.errors import InputError
from perolas.core.observation import make_observation
from perolas.core.units import ev_from_nm
from perolas.matter import optics
from perolas.measurements import absorption
from perolas.measurements.absorption import dielectric, scales
from perolas.measurements.absorption.edge_shape import elliott as eager

elliott = jax.jit(eager)
WINDOW = (1.8, 3.05)
SPAN = (410.0, 690.0)  # one number of points, one compilation


def spectrum(**options):
    return absorption.simulate(**{"seed": 3, "span": SPAN, "points": 301, **options})


def fitted(observation, **options):
    return absorption.fit(observation, **{"model": "edge", "window": WINDOW, **options})


@pytest.fixture(scope="module")
def found():
    return fitted(spectrum())


# ------------------------------------------------------------------------------------------------------ the edge


def test_without_binding_the_edge_is_the_square_root_of_free_carriers():
    """Analytic: for Eb -> 0 the continuum times 2 pi sqrt(Eb) is sqrt(E - Eg), and the lines are gone."""
    energy = np.linspace(2.5, 3.0, 41)
    for shares in ((0.0, 0.0), (0.0, 1.0)):
        lines, continuum = elliott(energy, 2.4, 1e-9, 0.002, *shares)
        free = 2 * np.pi * np.sqrt(1e-9) * np.asarray(continuum)
        np.testing.assert_allclose(free, np.sqrt(energy - 2.4), rtol=1e-3)
        assert np.max(np.abs(lines)) < 1e-6


def test_far_above_the_gap_stands_the_sommerfeld_factor():
    """Analytic: a continuum that is smooth over the broadening is not changed by it."""
    energy = np.linspace(2.6, 3.0, 41)
    want = 1 / (1 - np.exp(-2 * np.pi * np.sqrt(0.03 / (energy - 2.4))))
    np.testing.assert_allclose(elliott(energy, 2.4, 0.03, 0.01)[1], want, rtol=1e-4)


@pytest.mark.parametrize("shares", [(0.0, 0.0), (1.0, 0.0), (0.0, 1.0)])
def test_lines_are_hydrogenic(shares):
    """Analytic: line n lies Eb / n^2 below the gap and has the area 2 Eb / n^3."""
    binding, width = 0.4, 1e-4
    for n in (1, 2, 3):
        centre = 2.4 - binding / n**2
        # Sinh-spaced, so that both the core and the tails of a Lorentzian are summed well.
        offset = 1e-5 * np.sinh(np.linspace(-7.5, 7.5, 20001))
        area = np.trapezoid(np.asarray(elliott(centre + offset, 2.4, binding, width, *shares)[0]), offset)
        tails = 2 / np.pi * np.arctan(2 * offset[-1] / width) if shares[0] else 1.0
        # The tails of the other lines, where they have any, add less than a thousandth.
        assert area / tails == pytest.approx(2 * binding / n**3, rel=1e-3 if shares[0] else 1e-5)


def kernel(shape, u, width):
    if shape == "gauss":
        return np.exp(-4 * np.log(2) * (u / width) ** 2) / width * np.sqrt(4 * np.log(2) / np.pi)
    if shape == "lorentz":
        return width / (2 * np.pi) / (u**2 + width**2 / 4)
    a = 2 * np.arccosh(2.0) / width
    return a / np.pi / np.cosh(min(abs(a * u), 300.0))


@pytest.mark.parametrize(("shape", "shares"), [("gauss", (0, 0)), ("lorentz", (1, 0)), ("sech", (0, 1))])
def test_broadened_continuum_is_the_integral(shape, shares):
    """Another code: scipy's adaptive quadrature of the convolution, point by point."""
    gap, binding, width = 2.4, 0.035, 0.08
    begin = -binding / 3.5**2

    def height(x):
        return 1.0 if x <= 0 else 1 / (1 - np.exp(-2 * np.pi * np.sqrt(binding / x)))

    energy = np.linspace(2.2, 2.8, 41)
    mine = np.asarray(elliott(energy, gap, binding, width, *map(float, shares))[1])
    for e, got in zip(energy[::8], mine[::8], strict=True):
        want = quad(lambda x, e=e: height(x) * kernel(shape, e - gap - x, width), begin, 0, epsabs=1e-12)[0]
        edges = sorted({0.0, max(e - gap, 1e-3), 2.0})
        for low, high in zip(edges, [*edges[1:], np.inf], strict=True):
            want += quad(lambda x, e=e: height(x) * kernel(shape, e - gap - x, width), low, high, limit=400)[0]
        assert got == pytest.approx(want, rel=1e-4, abs=1e-7)


# --------------------------------------------------------------------------------------------- what instruments show


@pytest.mark.parametrize("ratio", [0.01, 0.3, 2.0])
def test_kubelka_munk_is_a_thick_layer_of_two_streams(ratio):
    """Analytic: the two streams' differential equations, solved for a layer of 200 / S over a black backing."""
    k, s, thick = ratio, 1.0, 200.0 / np.sqrt(1 + 50 * ratio)
    through = expm(np.array([[-(k + s), s], [-s, k + s]]) * thick)  # of the stream down, and the one up
    reflectance = -through[1, 0] / through[1, 1]  # nothing comes up from below
    assert float(scales.diffuse_reflectance(ratio)) == pytest.approx(reflectance, rel=1e-6)
    assert float(scales.kubelka_munk(reflectance)) == pytest.approx(ratio, rel=1e-5)


def test_sphere_is_the_sum_of_its_reflections():
    """Analytic: light off the sample meets wall and sample in proportion to their areas, again and again."""
    port, wall, reference, sample = 0.03, 0.97, 0.99, 0.4

    def detector(r):
        again = wall * (1 - port) + r * port
        return r * sum(again**k for k in range(3000))

    reading = detector(sample) / detector(reference)
    assert float(scales.sphere_reading(sample, port, wall, reference)) == pytest.approx(reading, rel=1e-9)
    assert float(scales.sphere_corrected(reading, port, wall, reference)) == pytest.approx(sample, rel=1e-9)
    assert reading < sample / reference  # the substitution error makes a dark sample darker


def test_stray_light_ends_the_scale():
    """Analytic: a thousandth of stray light reads as absorbance 3 at most."""
    assert float(scales.absorbance(scales.with_stray_light(1e-9, 1e-3))) == pytest.approx(3.0, abs=1e-3)


# ----------------------------------------------------------------------------------------------------------- amounts


def test_absorbance_is_that_of_the_lead_in_the_beam():
    """Beer and Lambert with the coefficient of the library, which the model meets where its height is read off."""
    lead, path = 0.08, 0.5  # mmol/L, cm
    clean = absorption.simulate(
        lead=lead, path=path, noise=1e-9, span=(470.0, 520.0), points=301, true_scatter=0.0, true_fwhm=0.02,
        true_gap=2.42, true_binding=0.03,
    )  # fmt: skip
    nm = clean["wavelength_nm"].values
    mu = np.asarray(optics.intrinsic_absorption_cm1("CsPbBr3", nm))
    solid_cm = lead * 1e-6 * dielectric.perovskite().molar_volume_cm3 * path
    want = (mu * solid_cm / np.log(10.0))[nm < 490].mean()
    # The Elliott edge rises over that stretch by other few per cent than the measured k.
    assert clean["signal"].values[nm < 490].mean() == pytest.approx(want, rel=0.08)


def test_known_spectrum_gives_its_numbers_back(found):
    """Truth: the simulation's own 2.4 eV, 32.5 meV, 70 meV and 0.05 mmol/L."""
    for name, truth in (("gap", 2.4), ("binding", 0.0325), ("fwhm", 0.07), ("exciton", 2.3675), ("column", 0.05)):
        assert abs(found[name].value - truth) < 4 * found[name].std
    assert found["gap"].std < 0.005
    assert found["concentration"].value == pytest.approx(found["column"].value)  # over a path of 1 cm
    assert found["concentration"].std > 0.15 * found["concentration"].value  # n and k are not better known


def test_errors_hold_noise_baseline_and_window(found):
    rows = {r["quantity"]: r for r in found.extra["errors"]}
    for name in ("gap", "exciton", "binding"):
        row = rows[name]
        assert row["total"] == pytest.approx(np.hypot(np.hypot(row["noise"], row["baseline"]), row["window"]), rel=0.1)
        assert row["baseline"] > 0
    assert len(found.extra["windows"]) == 3


def test_tauc_lies_below_and_says_so(found):
    """Truth: the gap of the simulation. An exciton of 32.5 meV pulls the line below it."""
    direct = [r["gap_ev"] for r in found.extra["tauc"] if r["exponent"] == "direct"]
    assert max(direct) < 2.4
    assert any("knows no exciton" in w for w in found.warnings)
    assert found["tauc_gap"].std == pytest.approx(np.std(direct, ddof=1))


def test_nm_and_ev_are_one_physics(found):
    """Absorbance is no density: the axis changes and nothing else, so both fits are the same."""
    seen = spectrum()
    order = np.argsort(seen["wavelength_nm"].values)[::-1]
    other = make_observation(
        seen["signal"].values[order], "energy_ev", np.asarray(ev_from_nm(seen["wavelength_nm"].values[order])),
        units="1", variance=seen["variance"].values[order], conditions=json.loads(seen.attrs["conditions"]),
    )  # fmt: skip
    again = fitted(other)
    assert again["gap"].value == pytest.approx(found["gap"].value, abs=1e-9)
    assert again["gap"].std == pytest.approx(found["gap"].std, rel=1e-6)


def test_without_a_path_only_its_product_with_the_concentration_is_known():
    seen = spectrum()
    seen.attrs["conditions"] = json.dumps({"kind": "absorbance", "medium": "toluene"})
    unknown = fitted(seen)
    assert "concentration" in unknown.undetermined
    assert abs(unknown["column"].value - 0.05) < 3 * unknown["column"].std
    assert any("path is not stated" in n for n in unknown.notes)
    known = fitted(seen, path=0.1)
    assert known["concentration"].value == pytest.approx(10 * unknown["column"].value)


# ------------------------------------------------------------------------------------------------------------- input


@pytest.mark.parametrize(
    ("change", "options", "words"),
    [
        ({"units": "counts"}, {}, "counts"),
        ({"signal": np.full(60, 0.3)}, {}, "the same"),
        ({"signal": -np.linspace(0.5, 1.0, 60)}, {}, "swapped"),
        ({"signal": np.linspace(20.0, 99.0, 60)}, {}, "cannot be measured"),
        ({"signal": np.linspace(0.0, 3.0, 60)}, {"kind": "transmittance"}, "percent or a share"),
        ({}, {"kind": "emission"}, "kind"),
        ({}, {"window": (2.0, 2.01)}, "12 points"),
        ({}, {"model": "phases"}, "306 nm"),
        ({}, {"path": -1.0}, "path"),
        ({}, {"port": 0.9}, "port"),
        ({}, {"medium": "honey"}, "medium"),
        ({}, {"guess": {"gapp": 2.0}}, "gapp"),
    ],
)
def test_bad_input_is_refused_with_a_sentence(change, options, words):
    nm = np.linspace(420.0, 640.0, 60)
    made = {"signal": np.where(nm < 510, 0.5, 0.02), "units": "1", **change}
    with pytest.raises(InputError, match=words):
        absorption.fit(make_observation(made["signal"], "wavelength_nm", nm, units=made["units"]), **options)


# -------------------------------------------------------------------------------------------------------- long tests


@pytest.mark.full
def test_noise_alone_has_no_edge():
    rng = np.random.default_rng(4)
    noise = make_observation(
        100 + 20 * rng.normal(size=60), "wavelength_nm", np.linspace(800, 1400, 60), units="percent"
    )
    found = absorption.fit(noise)
    assert any("No absorption edge" in w for w in found.warnings)
    assert "exciton" in found.undetermined
    assert "gap" not in found.quantities


@pytest.mark.full
def test_each_kind_of_signal_gives_the_same_gap():
    """Truth: the simulation's own gap, seen through three instruments."""
    for kind in ("transmittance", "reflectance"):
        found = fitted(spectrum(kind=kind, lead=0.1))
        assert abs(found["gap"].value - 2.4) < 4 * found["gap"].std
        assert ("concentration" in found.quantities) is (kind == "transmittance")
        assert any("Kubelka-Munk" in w for w in found.warnings) is (kind == "reflectance")


@pytest.mark.full
def test_phases_are_told_apart():
    """Truth: the specimen's converted share; the error holds the factor of two in the strength of Cs4PbBr6."""
    for converted in (0.0, 0.3):
        found = absorption.fit(absorption.simulate(Specimen.from_conversion(converted), seed=4))
        assert abs(found["converted"].value - converted) < 2 * found["converted"].std
        assert abs(found["second_centre"].value - 3.95) < 4 * found["second_centre"].std
        assert ("exciton" in found.undetermined) is (converted == 0.0)  # without CsPbBr3 it has no edge


@pytest.mark.full
@pytest.mark.parametrize("diameter", [100.0, 300.0])
def test_scattering_of_large_aggregates_does_not_move_the_gap(diameter):
    """Another code: the background is Mie's extinction by miepython, which is no power of the energy."""
    import miepython

    from perolas.measurements.absorption.bias import known_edge

    nm = np.linspace(430.0, 690.0, 301)
    energy = np.asarray(ev_from_nm(nm))
    extinction = np.array([float(miepython.efficiencies(1.9 + 0j, diameter, each, n_env=1.49)[0]) for each in nm])
    background = 0.1 * extinction / np.interp(540.0, nm, extinction)
    edge = 0.3 * 2.4 / energy * known_edge(energy, 2.4, 0.035, 0.08)
    signal = edge + background + 5e-4 * np.random.default_rng(6).standard_normal(nm.size)
    found = fitted(make_observation(signal, "wavelength_nm", nm, units="1"))
    assert abs(found["gap"].value - 2.4) < 4 * found["gap"].std
    assert abs(found["gap"].value - 2.4) < 2e-3
    assert abs(found["amplitude"].value - 0.3) < 0.1 * 0.3


@pytest.mark.full
def test_errors_are_honest_where_window_and_baseline_are_in_them():
    """Truth: each simulation's own numbers; errors may be too large by the priors and the window, never too small."""
    from perolas.measurements.absorption.bias import known_edge

    rng = np.random.default_rng(8)
    energy = np.linspace(1.8, 3.0, 301)
    pulls = []
    for _ in range(40):
        gap, binding, width = rng.uniform(2.35, 2.5), rng.uniform(0.01, 0.06), rng.uniform(0.04, 0.1)
        edge = known_edge(energy, gap, binding, width, lorentz=rng.uniform(0.0, 0.3))
        clean = 0.3 * gap / energy * edge + rng.uniform(0, 0.2) * (energy / 2.4) ** rng.uniform(1, 4)
        seen = make_observation(
            clean + 1e-3 * rng.standard_normal(energy.size), "energy_ev", energy, units="1",
            variance=np.full(energy.size, 1e-6),
        )  # fmt: skip
        found = fitted(seen)
        pulls.append([(found[n].value - t) / found[n].std for n, t in (("gap", gap), ("exciton", gap - binding))])
    pulls = np.array(pulls)
    assert np.all(np.abs(pulls.mean(axis=0)) < 0.1 + 4 / np.sqrt(40))
    assert np.all(pulls.std(axis=0) < 1.05 + 4 / np.sqrt(80))
    assert np.mean(np.abs(pulls) < 2) > 0.85


@pytest.mark.full
def test_table_of_biases_is_that_of_the_manual():
    """The manual's table against the function that it names; a millielectronvolt is more than machines differ by."""
    from pathlib import Path

    from perolas.measurements.absorption.bias import as_markdown, bias_table

    def numbers(text):
        rows = [r for r in text.splitlines() if r.startswith("| ") and "±" in r]
        cells = [r.replace("±", " ").replace("to", " ").replace("|", " ").split() for r in rows]
        return np.array(cells, dtype=float)

    page = (Path(__file__).parents[2] / "docs" / "absorption.md").read_text(encoding="utf-8")
    first, second = page.split("<!-- lorentz 0.3 -->")
    for text, share in ((first, 0.0), (second, 0.3)):
        want = numbers(text)
        got = numbers(as_markdown(bias_table(lorentz=share)))
        assert want.shape == got.shape
        np.testing.assert_allclose(got, want, atol=1.0)
        # Elliott's gap lies within its errors, Tauc's nowhere near its spread.
        assert np.all(np.abs(want[:, 2]) < 4 * want[:, 3] + 0.1)
        assert np.all(want[:, 6] < -10)


@pytest.mark.full
@pytest.mark.parametrize("name", ["Sample5926.Probe.Raw.asc", "sphere_test01.Probe.Raw.asc"])
def test_real_scans_without_an_edge_say_so(name, data_dir, tmp_path, capsys):
    """Two PerkinElmer scans: a clear sample near 100 %, and a sphere with hardly any light; neither has an edge."""
    from perolas.cli import main

    figure = tmp_path / "f.png"
    file = str(data_dir / "uvvis" / name)
    assert main(["fit", file, "-t", "absorption", "--figure", str(figure), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert "gap" not in told["quantities"]
    assert any("No absorption edge" in w for w in told["warnings"])
    level = told["quantities"]["mean_signal"]
    # By eye, from the file: transmittance 1.00 within 2 % before the detector's end; the sphere's file is noise.
    assert abs(level["value"] - 1.0) < max(0.02, 3 * level["std"])
    assert figure.stat().st_size > 5000
