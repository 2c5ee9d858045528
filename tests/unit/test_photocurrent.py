"""Photocurrent: the steady current of a specimen, traces inverted, files read, and what is refused."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from perolas import io
from perolas.core.errors import InputError
from perolas.core.invert import invert
from perolas.core.observation import make_observation
from perolas.matter.specimen import Specimen
from perolas.measurements import photocurrent
from perolas.measurements.photocurrent.model import Photocurrent
from perolas.measurements.photocurrent.steady import Cell, absorbed_share, current_share, steady_current_na
from perolas.measurements.photocurrent.trace import trace_of
from perolas.measurements.photocurrent.traps import TrapFilling


def unmarked(trace, **attrs):
    """The trace without the switch times that a simulation records."""
    return make_observation(trace["signal"].values, "time_s", trace["time_s"].values, units="nA", **attrs)


@pytest.fixture(scope="module")
def found():
    """A trace of three cycles whose switches have to be found, and its fit."""
    trace = photocurrent.simulate(seed=5, interval=0.2, noise=1.5, dark=12.0, amplitude=80.0)
    return photocurrent.fit(unmarked(trace))


def test_a_trace_gives_back_its_numbers_with_switches_found(found):
    """Truth: what was simulated. Four standard errors: chance exceeds that once in 16,000."""
    truth = {"amplitude": 80.0, "dark": 12.0, "drift": 0.0, "rise_fast": 1.0, "rise_slow": 8.0, "decay_fast": 1.0,
             "decay_slow": 8.0, "rise_share": 0.7, "decay_share": 0.7}  # fmt: skip
    assert found.result == "converged"
    for name, value in truth.items():
        assert abs(found[name].value - value) < 4 * found[name].std, name
    assert found["amplitude"].std < 2.0
    assert any("found in the trace" in n for n in found.notes)


def test_switches_are_found_to_a_fraction_of_a_reading():
    """Truth: the switch times of the simulation, 10, 30, 50 ... s."""
    trace = photocurrent.simulate(seed=6, interval=0.2, noise=1.0)
    edges = trace_of(unmarked(trace)).switches
    assert edges.size == 6
    assert np.all(np.abs(edges - np.arange(10.0, 130.0, 20.0)) <= 0.4)


def test_one_cycle_follows_its_equation():
    """Truth: the equation of the module, written out for one edge each way."""
    time = np.arange(0.0, 60.0, 0.5)
    trace = Photocurrent(amplitude=50.0, dark=5.0, drift=0.1, switches=[10.0, 40.0], time=time)
    lit = np.clip(time - 10.0, 0, None)
    rise = 1 - 0.7 * np.exp(-lit / 1.0) - 0.3 * np.exp(-lit / 8.0)
    top = 1 - 0.7 * np.exp(-30.0) - 0.3 * np.exp(-30.0 / 8.0)
    dark = time - 40.0
    fall = top * (0.7 * np.exp(-dark / 1.0) + 0.3 * np.exp(-dark / 8.0))
    wanted = 5.0 + 0.1 * time + 50.0 * np.where(time < 10, 0.0, np.where(time < 40, rise, fall))
    np.testing.assert_allclose(trace.expected(), wanted, atol=1e-9)


@pytest.mark.full
def test_traps_without_trapping_are_one_exponential_and_keep_their_steady_state():
    """Truth: n' = G - n/tau alone is exponential; with traps, steady n is G tau whatever they do (both analytic)."""
    time = np.arange(0.0, 400.0, 2.0)
    plain = TrapFilling(amplitude=1.0, dark=0.0, trapping=0.0, lifetime_s=5.0, switches=[10.0, 200.0], time=time)
    lit = (time >= 10) & (time <= 200)
    wanted = np.where(lit, 1 - np.exp(-(time - 10) / 5), (1 - np.exp(-190 / 5)) * np.exp(-(time - 200) / 5))
    # 1e-7 is asked of each step; between steps the solver's interpolation is good to some 1e-6, a meter to 1e-3.
    np.testing.assert_allclose(plain.expected(), np.where(time < 10, 0.0, wanted), atol=1e-5)
    caught = TrapFilling(amplitude=1.0, dark=0.0, trapping=3.0, release=0.5, switches=[10.0, 200.0], time=time)
    assert abs(float(caught.expected()[94]) - 1.0) < 1e-5
    filling = float(caught.populations()[94, 1])
    assert abs(filling - float(caught.derived()["steady_filling"])) < 1e-5


def test_share_of_the_light_is_thin_and_thick_in_their_limits():
    """Truth: the equation's own limits; a thin film counts volume, an opaque one its share of all absorption."""
    half, whole = Specimen.from_conversion(0.5), Specimen.of("CsPbBr3")
    thin = [float(absorbed_share(s, 1e-3)) for s in (half, whole)]
    alpha = 4 * np.pi * 0.3955 / 365.0  # 1/nm, from k of CsPbBr3 at 365 nm (Brennan 2024)
    assert abs(thin[1] / 1e-3 / alpha - 1) < 0.01
    # Molar volumes from X-ray densities: 579.8/4.80 (CsPbBr3), 1218.3/4.26 (Cs4PbBr6), 212.8/4.43 cm3/mol (CsBr).
    volume = 0.5 * 120.8 / (0.5 * 120.8 + 0.5 * 286.0 + 1.5 * 48.0)
    assert abs(thin[0] / thin[1] / volume - 1) < 0.03
    assert float(absorbed_share(Specimen.from_conversion(0.03), 1e9)) > 0.9
    assert float(absorbed_share(Specimen.of("Cs4PbBr6"), 1e9)) == 0.0


def test_current_over_that_of_a_wholly_converted_film_has_its_limits():
    """Truth: nothing and everything; converted volume over all volume in a thin film, one in an opaque one."""
    assert current_share(0.0) == 0.0
    assert current_share(1.0) == pytest.approx(1.0, abs=1e-12)
    # The salt of the wholly converted film dilutes it too: 120.8 of 120.8 + 3 * 48.0 cm3/mol is CsPbBr3.
    half = 0.5 * 120.8 / (0.5 * 120.8 + 0.5 * 286.0 + 1.5 * 48.0)
    assert current_share(0.5, thickness_nm=1e-3) == pytest.approx(half / (120.8 / (120.8 + 3 * 48.0)), rel=0.03)
    assert current_share(0.5, thickness_nm=1e9) == pytest.approx(1.0, abs=0.01)
    with pytest.raises(InputError, match="thickness"):
        current_share(0.5, thickness_nm=0.0)


def test_samples_of_the_transformation_are_in_order():
    """Truth: Cs4PbBr6 has no CsPbBr3 to absorb; of two that are converted alike the one that loses less gives more."""
    cell = Cell()
    first = Specimen.of("Cs4PbBr6")
    second = Specimen.from_conversion(1.0, trap_ratio=1.7, loss_ratio=0.0157)
    third = Specimen.from_conversion(1.0, trap_ratio=1.7, loss_ratio=0.0)
    currents = [float(steady_current_na(s, cell)) for s in (first, second, third)]
    assert currents[0] < currents[1] < currents[2]
    # 135 and 272 ns by loss: a quantum yield of 0.75, hence a current of three quarters.
    assert abs(currents[1] / currents[2] - 0.75) < 0.01


def test_no_photocurrent_is_said_with_a_limit():
    trace = photocurrent.simulate(Specimen.of("Cs4PbBr6"), seed=2, noise=0.5)
    found = photocurrent.fit(trace)
    assert abs(found["amplitude"].value) < 4 * found["amplitude"].std
    assert found["amplitude_limit"].value < 1.0
    assert any("No photocurrent is seen" in w for w in found.warnings)


KEITHLEY = 'Instrument Model:,2400\n"Index","Time (s)","Voltage (V)","Current (A)"\n'
CHI = "i-t\nInstrument Model:  CHI660E\n\nInit E (V) = 0.5\nSample Interval (s) = 0.2\n\nTime/sec, Current/A\n\n"


@pytest.mark.parametrize("kind", ["keithley", "chi", "bare", "milli"])
def test_exports_are_read(tmp_path, kind):
    """Truth: the numbers written."""
    time = np.arange(30) * 0.5
    current = 1e-8 * (1 + time)
    head = {"keithley": KEITHLEY, "chi": CHI, "bare": "", "milli": "t (ms)\tI (uA)\n"}[kind]
    rows = {
        "keithley": [f"{i + 1},{t:.3f},0.5,{c:.6e}" for i, (t, c) in enumerate(zip(time, current, strict=True))],
        "chi": [f"{t:.2f}, {c:.6e}" for t, c in zip(time, current, strict=True)],
        "bare": [f"{t:.2f} {c:.6e}" for t, c in zip(time, current, strict=True)],
        "milli": [f"{1000 * t:.0f}\t{1e6 * c:.6e}" for t, c in zip(time, current, strict=True)],
    }[kind]
    path = tmp_path / "trace.txt"
    path.write_text(head + "\n".join(rows) + "\n")
    trace = io.read(path, technique="photocurrent", axis="time_s")
    np.testing.assert_allclose(trace["signal"].values, current * 1e9, rtol=1e-6)
    np.testing.assert_allclose(trace["time_s"].values, time)
    assert trace["signal"].attrs["units"] == "nA"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "empty"),
        ("Time (s),Voltage (V)\n0,1\n1,2\n2,3\n", "called a current"),
        ("Time (s),Current (A)\n0,1e-9\n2,1e-9\n1,1e-9\n", "does not rise"),
        ("Time (s),Current (A)\n0,1e-9\n1,nan\n2,1e-9\n", "not numbers"),
        ("Time (s),Current (mA/cm2)\n0,1e-9\n1,2e-9\n2,1e-9\n", "density"),
        ("Time (s),Current (A),Current (A)\n0,1,1\n1,2,2\n2,3,3\n", "choose one"),
    ],
)
def test_files_that_cannot_be_used_are_refused_in_a_sentence(tmp_path, text, said):
    path = tmp_path / "bad.csv"
    path.write_text(text)
    with pytest.raises(InputError, match=said):
        io.read(path, technique="photocurrent", axis="time_s")


@pytest.mark.parametrize(
    ("trace", "options", "said"),
    [
        (make_observation(np.ones(64), "time_ns", np.arange(64.0)), {}, "in seconds"),
        (make_observation(np.ones(64), "time_s", np.arange(64.0), units="nA"), {}, "Every reading is the same"),
        (make_observation(np.arange(64.0), "time_s", np.arange(64.0), units="counts"), {}, "is a current"),
        (make_observation(np.arange(9.0), "time_s", np.arange(9.0), units="nA"), {}, "too few"),
        (
            make_observation(np.sin(np.arange(64.0)), "time_s", np.arange(64.0), units="nA"),
            {"switches": "30 10"},
            "must rise",
        ),
        (
            make_observation(np.sin(np.arange(64.0)), "time_s", np.arange(64.0), units="nA"),
            {"switches": "on off"},
            "times in seconds",
        ),
    ],
)
def test_traces_that_cannot_be_fitted_are_refused(trace, options, said):
    with pytest.raises(InputError, match=said):
        photocurrent.fit(trace, **options)


@pytest.mark.full
def test_the_rate_model_is_recovered_and_preferred_where_it_is_true():
    """Truth: what was simulated; and two exponentials must describe it worse."""
    truth = {"trapping": 2.0, "release": 0.05, "carriers": 0.3, "lifetime_s": 0.5}
    trace = photocurrent.simulate(seed=3, model="traps", interval=0.2, parameters=truth)
    found, other = photocurrent.fit(trace, model="traps"), photocurrent.fit(trace)
    for name, value in (("trapping", 2.0), ("release", 0.05), ("carriers", 0.3), ("lifetime", 0.5)):
        assert abs(found[name].value - value) < 4 * found[name].std, name
    assert found.bic < other.bic - 100
    assert any("misses the trace" in w for w in other.warnings)


@pytest.mark.full
def test_pulls_are_honest_where_the_noise_is_taken_from_the_residuals():
    """Truth: what was simulated; 200 traces of unknown noise, pulls of mean 0 and spread 1 within four errors."""
    from perolas.core.noise import UnknownGaussian

    truth = photocurrent.example()
    rng = np.random.default_rng(4)
    signals = np.asarray(truth.expected()) + rng.standard_normal((200, truth.time.size))
    unknown = dataclasses.replace(truth, noise=UnknownGaussian())
    found = invert(unknown, signals, throw=False)
    problem = found.problem
    wanted = np.array([float(getattr(truth, s.field)) for s in problem.free])
    pull = (found.values[:, : wanted.size] - wanted) / found.std[:, : wanted.size]
    assert np.all(np.abs(pull.mean(axis=0)) < 4 / np.sqrt(200))
    assert np.all(np.abs(pull.std(axis=0) - 1) < 4 / np.sqrt(400))
