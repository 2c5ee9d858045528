"""Spectra: what a camera sees, widths beside a resolution, sweeps and folders of spectra, ASE or random laser."""

from __future__ import annotations

import math

import numpy as np
import pytest

import perolas.io as reading
from perolas.core.errors import InputError
from perolas.core.observation import is_image, make_observation
from perolas.laser import rate
from perolas.measurements import emission
from perolas.measurements.emission.camera import Camera, Light, from_rate, spectrum, steady
from perolas.measurements.emission.verdict import judge
from perolas.measurements.emission.width import width_of
from perolas.study import execute, single

NM = np.linspace(500.0, 560.0, 1200)


def line(width, height, resolution=0.2, ground=100.0):
    seen = math.hypot(width, resolution)
    return seen, ground + height * np.exp(-4 * math.log(2) * ((NM - 531.3) / seen) ** 2)


@pytest.mark.parametrize(("width", "height"), [(3.0, 50.0), (0.4, 1e4)])
def test_widths_have_honest_errors(width, height):
    """Truth: a Gaussian line through a Gaussian spectrometer, counted."""
    seen, mean = line(width, height)
    rng = np.random.default_rng(1)
    found = [width_of(NM, rng.poisson(mean), 0.2, gain=1.0, seed=s) for s in range(30)]
    pulls = np.array([(w.observed - seen) / w.observed_std for w in found])
    assert abs(pulls.mean()) < 0.1 + 4 / math.sqrt(30)
    assert abs(pulls.std() - 1) < 0.05 + 4 / math.sqrt(60)
    assert all(abs(w.value - width) < 4 * w.std for w in found)
    assert all(w.resolved for w in found)


def test_a_line_narrower_than_the_spectrometer_has_an_upper_limit_only():
    _, mean = line(0.02, 1e3)
    found = width_of(NM, np.random.default_rng(0).poisson(mean), 0.2, gain=1.0)
    assert not found.resolved
    assert math.isnan(found.value)
    assert 0.02 < found.upper < 0.15


def test_a_spectrum_of_noise_has_no_width():
    with pytest.raises(InputError, match=r"too faint|stands out of the noise"):
        width_of(NM, np.random.default_rng(2).poisson(100.0, NM.size), 0.2)


def test_light_is_conserved_and_the_band_narrows_with_gain():
    """Analytic: the pixels' sum is beta s plus the light beside it; without gain the band is the luminescence."""
    carriers, mode = steady([0.01, 0.5, 3.0], 1e-2)
    light = Light(centre_nm=530.0, width_nm=6.0, gain_nm=530.0, gain_path=10.0, spontaneous=0.1)
    seen = spectrum(light, NM, carriers, mode, Camera())
    assert seen.sum(axis=1) == pytest.approx(mode + 0.1 * carriers, rel=1e-6)
    widths = [width_of(NM, 1e6 * s / s.max(), 0.0, baseline=0.0).observed for s in seen]
    assert widths[0] == pytest.approx(6.0, rel=0.03)
    assert widths[2] < 0.7 * widths[0]


def test_spectra_of_the_rate_equations():
    """Truth: the exact steady state, which the rate equations without loss and Auger recombination must give."""
    model = rate.RateModel(beta=1e-2)
    pump = np.array([0.3, 2.0])
    state = rate.steady_state(model, pump * model.threshold_pump_per_ps)
    assert from_rate(Light(), NM, model, state) == pytest.approx(spectrum(Light(), NM, *steady(pump, 1e-2)), rel=1e-8)


def test_a_camera_counts_saturates_and_collects():
    camera = Camera(gain_e_per_count=4.0, offset_counts=50.0, readout_counts=3.0, saturation_counts=1023.0)
    seen = camera.expose(np.full(20000, 400.0), np.random.default_rng(0))
    assert seen.mean() == pytest.approx(450.0, abs=0.4)
    assert seen.var() == pytest.approx(400.0 / 4.0 + 9.0 + 1 / 12, rel=0.05)
    assert camera.expose(np.full(5, 1e5), np.random.default_rng(0)).max() == 1023.0
    # Analytic: a lens of aperture 1 sees half of the sphere.
    whole = Camera(numerical_aperture=1.0, transmission=1.0, quantum_efficiency=1.0, gain_e_per_count=1.0)
    assert whole.counts_per_photon == pytest.approx(0.5)


@pytest.fixture(scope="module")
def sweep():
    return emission.simulate(what="sweep", points=14, seed=2)


@pytest.fixture(scope="module")
def fitted(sweep):
    return emission.fit(sweep, photons=1, fix=["exponent"])


def test_a_sweep_of_spectra_gives_back_what_made_it(fitted):
    """Truth: threshold 250, beta 0.01, peaks in the light."""
    assert abs(fitted["threshold"].value - 250.0) < 4 * fitted["threshold"].std
    assert abs(fitted["log10_beta"].value + 2.0) < 4 * fitted["log10_beta"].std
    rows = [r for r in fitted.extra["linewidth"] if r.get("width_nm")]
    assert rows[0]["width_nm"] > 4 * rows[-1]["width_nm"]
    assert fitted["linewidth"].value == pytest.approx(min(r["width_nm"] for r in rows), rel=0.2)
    assert fitted.extra["verdict"]["kind"] == "random laser"


def test_a_sweep_survives_a_file_and_a_folder(sweep, tmp_path):
    file = tmp_path / "sweep.nc"
    file.write_bytes(execute.netcdf(sweep))
    back = single.read(file, "emission")
    assert back["fluence_uj_cm2"].values == pytest.approx(sweep["fluence_uj_cm2"].values)
    folder = tmp_path / "spectra"
    folder.mkdir()
    for i in (7, 0, 3):
        rows = zip(sweep["wavelength_nm"].values, sweep["signal"].values[i], strict=True)
        name = f"film_{float(sweep['fluence_uj_cm2'][i]):.3f}uJ.txt"
        (folder / name).write_text("\n".join(f"{x:.6f} {y:.0f}" for x, y in rows))
    found = single.read(folder, "emission")
    assert found["fluence_uj_cm2"].values == pytest.approx(sweep["fluence_uj_cm2"].values[[0, 3, 7]], abs=1e-3)
    assert np.array_equal(found["signal"].values, sweep["signal"].values[[0, 3, 7]])
    (folder / "notes.txt").write_text("1 2\n2 3\n")
    with pytest.raises(InputError, match="no fluence such as"):
        single.read(folder, "emission")
    (folder / "listing.csv").write_text(
        "file,fluence (mJ/cm2)\n" + "\n".join(f"{f.name},{0.1 * k}" for k, f in enumerate(folder.glob("film*"), 1))
    )
    assert single.read(folder, "emission")["fluence_uj_cm2"].values == pytest.approx([100.0, 200.0, 300.0])


def test_saturated_spectra_are_left_out(sweep):
    with pytest.raises(InputError, match="saturated pixels"):
        emission.fit(sweep, saturation=111.0)


def shots(seed, **options):
    made = emission.simulate(what="shots", points=15, seed=seed, counts=5000.0, **options)
    return made["wavelength_nm"].values, made["signal"].values


def kinds(count, **options):
    return [judge(*shots(s, **options), element=4, baseline=100.0, seed=s).kind for s in range(count)]


def test_verdicts_of_known_series():
    """Truth: the series are simulated without feedback, with peaks that stay, and with new ones in each shot."""
    assert kinds(4, feedback=0.0) == ["ASE"] * 4
    assert kinds(3, feedback=0.3) == ["random laser"] * 3
    assert kinds(3, feedback=0.6, memory=0.0).count("random laser") <= 1


@pytest.mark.full
@pytest.mark.parametrize("counts", [300.0, 5000.0, 5e4])
def test_false_alarms_come_no_more_often_than_stated(counts):
    """Truth: no feedback; 5 % are stated for each of two questions, both of which must be answered wrongly."""
    wrong = 0
    for seed in range(60):
        made = emission.simulate(what="shots", points=15, seed=seed, counts=counts, feedback=0.0, pump_noise=0.05)
        verdict = judge(made["wavelength_nm"].values, made["signal"].values, element=4, baseline=100.0, seed=seed)
        wrong += verdict.kind == "random laser"
    assert wrong <= 60 * 0.05 + 2 * math.sqrt(60 * 0.05 * 0.95)


@pytest.mark.full
def test_peaks_that_do_not_come_back_are_undecidable():
    found = kinds(40, feedback=0.6, memory=0.0)
    assert found.count("random laser") <= 40 * 0.05 + 3 * math.sqrt(40 * 0.05 * 0.95)
    assert found.count("undecidable") >= 30


def test_too_little_light_is_undecidable():
    made = emission.simulate(what="shots", points=5, seed=1, counts=15.0, feedback=0.0)
    found = judge(made["wavelength_nm"].values, made["signal"].values, element=4, baseline=100.0)
    assert found.kind == "undecidable"
    assert "more light" in found.sentence


def test_a_series_of_shots_and_a_single_spectrum():
    made = emission.simulate(what="shots", points=24, seed=3, feedback=0.0)
    found = emission.fit(made)
    assert found.extra["verdict"]["kind"] == "ASE"
    assert {"overlap", "levy"} <= set(found.extra["statistics"])
    assert abs(found["band_position"].value - 533.5) < 2.0
    one = emission.simulate(what="spectrum", seed=3, feedback=0.0)
    assert "needs at least 5 spectra" in str(emission.fit(one))


def test_an_image_of_the_near_field():
    image = emission.simulate(what="image", seed=1)
    assert is_image(image)
    middle = image["signal"].values[60:68, 60:68].mean()
    assert middle > 10 * image["signal"].values[:8, :8].mean()


@pytest.mark.parametrize(
    ("options", "words"),
    [({"beta": 2.0}, "at most 1"), ({"points": 2}, "points"), ({"what": "film"}, "simulated"),
     ({"span": (300.0, 100.0)}, "span"), ({"threshold": -1.0}, "threshold")],
)  # fmt: skip
def test_bad_simulations_are_refused(options, words):
    with pytest.raises(InputError, match=words):
        emission.simulate(**options)


def test_bad_spectra_are_refused(tmp_path):
    with pytest.raises(InputError, match="32 pixels"):
        emission.fit(make_observation(np.arange(10.0), "wavelength_nm", np.arange(10.0)))
    with pytest.raises(InputError, match="fluence of each"):
        emission.fit(make_observation(np.ones((6, 40)), "wavelength_nm", np.arange(40.0)), model="spectra")
    file = tmp_path / "two.csv"
    file.write_text("wavelength (nm),a,b\n500,1,2\n501,2,3\n")
    with pytest.raises(InputError, match="fluences over the columns"):
        reading.read(file, axis="fluence_uj_cm2")
