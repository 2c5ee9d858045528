"""A run as the study engine writes it, made up, with every verdict and role and one failed item."""

# ruff: noqa: E501  (sentences and records as the engine writes them)
from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr


def decay(n: int = 12500) -> xr.Dataset:
    rng = np.random.default_rng(3)
    t = (np.arange(n) + 0.5) * 0.016
    irf = 9000 * np.exp(-0.5 * ((t - 20) / 0.12) ** 2)
    live = np.where(t > 20, 1.0, 0.0)
    parts = {
        "decay_1": 3200 * live * np.exp(-(t - 20) / 1.01),
        "decay_2": 5100 * live * np.exp(-(t - 20) / 18.9),
        "background": np.full(n, 2.6),
    }
    return dataset("time_ns", t, "ns", parts, rng, technique="trpl", irf=irf)


def lead(n: int = 281) -> xr.Dataset:
    rng = np.random.default_rng(4)
    e = np.linspace(148, 134, n)

    def line(at: float, area: float, width: float = 0.9) -> np.ndarray:
        return area * np.exp(-0.5 * ((e - at) / width * 2.3548) ** 2)

    parts = {
        "background": 900 + 500 / (1 + np.exp(-(e - 138.8) / 0.5)) + 350 / (1 + np.exp(-(e - 143.7) / 0.5)),
        "lead_halide": line(138.8, 7000) + line(143.67, 5250),
        "metallic_lead": line(137.1, 900) + line(141.97, 675),
    }
    return dataset("binding_energy_ev", e, "eV", parts, rng, technique="xps")


def raman(n: int = 1015) -> xr.Dataset:
    rng = np.random.default_rng(5)
    k = np.linspace(30, 350, n)

    def line(at: float, height: float, width: float) -> np.ndarray:
        return height / (1 + ((k - at) / width) ** 2)

    parts = {
        "background": 300 + 900 * np.exp(-k / 60),
        "line_1": line(63, 800, 4),
        "line_2": line(77, 1230, 5),
        "line_3": line(118, 300, 9),
    }
    return dataset("raman_shift_cm1", k, "cm-1", parts, rng, technique="peaks")


def dataset(
    axis: str, x: np.ndarray, unit: str, parts: dict[str, np.ndarray], rng: Any, *, technique: str, irf: Any = None
) -> xr.Dataset:
    expected = sum(parts.values())
    signal = rng.poisson(expected).astype(float)
    found = xr.Dataset(coords={axis: (axis, x, {"units": unit})})
    found["signal"] = (axis, signal, {"units": "counts"})
    found["expected"] = (axis, expected, {"units": "counts"})
    found["residual"] = (axis, (signal - expected) / np.sqrt(expected), {"units": "1"})
    for name, part in parts.items():
        found[f"component_{name}"] = (axis, part, {"units": "counts"})
    if irf is not None:
        found["irf"] = (axis, irf, {"units": "counts"})
    found.attrs["technique"] = technique
    return found


def quantity(value: float | None, std: float | None, unit: str, definition: str) -> dict[str, Any]:
    return {"value": value, "std": std, "unit": unit, "definition": definition}


def claim(id: str, text: str, role: str, verdict: str, sentence: str, **more: Any) -> dict[str, Any]:
    return {
        "id": id,
        "text": text,
        "role": role,
        "verdict": verdict,
        "sentence": sentence,
        "value": None,
        "unit": "1",
        "tolerance": None,
        "quantity": "",
        "answer": None,
        "sigma": None,
    } | more


def full_run(out: Path) -> dict[str, Any]:
    """Write three datasets below `out` and return the run that names them."""
    (out / "data").mkdir(parents=True, exist_ok=True)
    for name, made in {"decay": decay(), "lead": lead(), "raman": raman()}.items():
        made.to_netcdf(out / "data" / f"{name}.nc", engine="h5netcdf")
    versions = {"perolas": "0.1.0", "jax": "0.7.2", "numpy": "2.3.1", "python": "3.11.9"}
    sha = "9f2c4e61d0b7a35c8e1f94d6a2705bb3c4419e77a60d218f5b3392ce8d11f07a"
    estimate = {
        "technique": "trpl",
        "quantities": {
            "tau_1": quantity(1.0132, 0.0141, "ns", "lifetime"),
            "tau_2": quantity(18.914, 0.062, "ns", "lifetime"),
            "amplitude_1": quantity(3191.2, 28.4, "counts", "counts per bin at time zero with a perfect instrument"),
            "amplitude_2": quantity(5104.8, 13.9, "counts", "counts per bin at time zero with a perfect instrument"),
            "shift": quantity(0.00121, 0.00087, "ns", "shift of the instrument response"),
            "background": quantity(2.604, 0.018, "counts", "background in each bin"),
            "tau_mean_amplitude": quantity(12.03, 0.07, "ns", "amplitude-weighted mean lifetime, sum(a tau) / sum(a)"),
            "tau_mean_intensity": quantity(
                18.34, 0.06, "ns", "intensity-weighted mean lifetime, sum(a tau^2) / sum(a tau)"
            ),
            "k_trapping": quantity(3.2e-8, 1.1e-8, "1/ns", "trapping rate of the trapping model without loss"),
            "k_detrapping": quantity(0.41, None, "1/ns", "detrapping rate, which a decay this short does not bound"),
        },
        "fixed": {
            "irf_fwhm": {"value": 0.28, "unit": "ns", "definition": "full width of a Gaussian instrument response"},
            "scatter": {"value": 0.0, "unit": "counts", "definition": "scattered light in all bins together"},
        },
        "result": "converged",
        "message": "the fit converged.",
        "chi2_reduced": 1.0132,
        "log_likelihood": -18341.2,
        "aic": 36694.4,
        "bic": 36739.0,
        "n_points": 12500,
        "n_free": 6,
        "steps": 14,
        "starts": {"agreeing": 7, "tried": 8},
        "undetermined": ["k_detrapping"],
        "undetermined_sentence": "The data cannot determine everything: k_detrapping has no effect on these data.",
        "at_bound": {},
        "warnings": ["The response was measured 3 days before the decay."],
        "notes": ["Two components are enough: a third lowers BIC by less than nothing (+11.3)."],
        "extra": {
            "evidence": [
                {"components": 1, "chi2_reduced": 8.31, "aic": 41822.1, "bic": 41851.8, "chosen": False},
                {"components": 2, "chi2_reduced": 1.0132, "aic": 36694.4, "bic": 36739.0, "chosen": True},
                {"components": 3, "chi2_reduced": 1.0130, "aic": 36690.8, "bic": 36750.3, "chosen": False},
            ],
            "tests": {"runs_test_p": 0.41, "durbin_watson": 1.98, "tail_pileup": 1.2e-7},
        },
    }
    xps = {
        "technique": "xps",
        "quantities": {
            "position_lead_halide": quantity(138.803, 0.006, "eV", "binding energy of 4f 7/2"),
            "position_metallic_lead": quantity(137.11, 0.03, "eV", "binding energy of 4f 7/2"),
            "splitting": quantity(4.871, 0.007, "eV", "spin-orbit splitting"),
            "fraction_metallic_lead": quantity(0.114, 0.008, "1", "share of the lead signal"),
        },
        "fixed": {"ratio": {"value": 0.75, "unit": "1", "definition": "area ratio 4f 5/2 : 4f 7/2"}},
        "result": "converged",
        "message": "the fit converged.",
        "chi2_reduced": 1.04,
        "n_points": 281,
        "n_free": 4,
        "warnings": [],
        "notes": ["One doublet is not adequate; a weaker one near 137.1 eV is metallic lead."],
        "undetermined": [],
        "undetermined_sentence": "",
        "extra": {},
    }
    lines = {
        "technique": "peaks",
        "quantities": {
            f"position_{i}": quantity(p, s, "cm-1", "position of the line")
            for i, (p, s) in enumerate([(63.02, 0.11), (76.97, 0.09), (118.2, 0.5)], 1)
        },
        "fixed": {},
        "result": "converged",
        "message": "the fit converged.",
        "chi2_reduced": None,
        "n_points": 1015,
        "n_free": 11,
    }
    code = 'import perolas\n\ndecay = perolas.read("sample2.dat", "trpl")\nfound = perolas.fit(decay, irf=perolas.read("irf.dat", "trpl"), components=2)\nprint(found)'
    provenance = {
        "file": "sample2.dat",
        "sha256": sha,
        "seed": 0,
        "versions": versions,
        "hash": "b1946ac92492d2347c6235b4d2611184",
    }
    used = [
        {
            "name": "CsPbBr3.radiative_rate",
            "value": 0.0077,
            "unit": "1/ns",
            "source": "Chirvony 2017, Table 1, 10.1021/acs.jpcc.7b03771",
        }
    ]
    items = [
        {
            "name": "decay of sample 2",
            "kind": "measurement",
            "technique": "trpl",
            "status": "done",
            "error": None,
            "estimate": estimate,
            "dataset": "data/decay.nc",
            "provenance": provenance,
            "code": code,
            "parameters_used": used,
            "references": [
                {
                    "key": "laurence2010",
                    "author": "Laurence, Ted A. and Chromy, Brett A.",
                    "title": "Efficient maximum likelihood estimator fitting of histograms",
                    "journal": "Nature Methods",
                    "volume": "7",
                    "pages": "338",
                    "year": 2010,
                    "doi": "10.1038/nmeth0510-338",
                }
            ],
        },
        {
            "name": "pb4f",
            "kind": "measurement",
            "technique": "xps",
            "status": "done",
            "estimate": xps,
            "dataset": "data/lead.nc",
            "provenance": {"file": "single_sample.vms", "sha256": sha[::-1], "versions": versions},
            "code": "perolas.fit(...)",
            "references": ["shirley1972"],
        },
        {
            "name": "raman_fresh",
            "kind": "measurement",
            "technique": "peaks",
            "status": "done",
            "estimate": lines,
            "dataset": "data/raman.nc",
            "provenance": {"seed": 11},
            "parameters_used": ["CsPbBr3.raman_lines"],
        },
        {
            "name": "decay of sample 3",
            "kind": "measurement",
            "technique": "trpl",
            "status": "failed",
            "estimate": None,
            "dataset": None,
            "error": 'The file "sample3.dat" holds no numbers after line 14.',
            "provenance": {"file": "sample3.dat"},
        },
        {
            "name": "recipe",
            "kind": "step",
            "technique": "",
            "status": "done",
            "dataset": None,
            "estimate": {
                "quantities": {
                    "cs_to_pb": quantity(3.68, 0.05, "1", "caesium for each lead"),
                    "dose": quantity(36.0, 0.0, "J/cm^2", "light on the sample in 5 h"),
                    "threshold": quantity(254.0, 12.0, "uJ/cm^2", "pump fluence at threshold"),
                }
            },
            "code": "perolas.recipe('yang2020.toml')",
        },
        {
            "name": "laser",
            "kind": "step",
            "status": "skipped",
            "error": 'It needs "decay of sample 3", which failed.',
            "dataset": None,
            "estimate": None,
        },
    ]
    claims = [
        claim(
            "laser.threshold",
            "the threshold is about 254 µJ/cm²",
            "prediction",
            "differs",
            "The rate model puts the threshold at 410 ± 40 µJ/cm², 3.9 sigma above what the paper states.",
            value=254,
            unit="uJ/cm^2",
            tolerance=25,
            quantity="recipe.threshold",
            answer={"value": 410.0, "std": 40.0, "unit": "uJ/cm^2"},
            sigma=3.9,
        ),
        claim(
            "bandgap",
            "CsPbBr3 has a band gap of 2.36 eV",
            "prediction",
            "reproduced",
            "Found within the tolerance.",
            value=2.36,
            unit="eV",
            tolerance=0.05,
            quantity="pb4f.position",
            answer={"value": 2.371, "std": 0.018, "unit": "eV"},
            sigma=0.61,
        ),
        claim(
            "raman.shift",
            "lines move by −2 cm⁻¹ in 30 min of light",
            "prediction",
            "uninformative",
            "The band reaches from -0.3 to -4.1 cm-1, more than tenfold.",
            value=-2,
            unit="cm-1",
            tolerance=0.5,
            quantity="raman_fresh.position_1 - raman_lit.position_1",
            answer={"value": -2.2, "std": 1.9, "unit": "cm-1"},
            sigma=0.1,
        ),
        claim(
            "trpl.lifetimes",
            "average lifetime 135 ns in the dark, 272 ns under 365 nm",
            "calibration",
            "reproduced",
            "Its number set the trap ratio, so that it says nothing about the model.",
            value=135,
            unit="ns",
            tolerance=5,
            quantity="decay of sample 2.tau_mean_intensity",
            answer={"value": 134.8, "std": 0.6, "unit": "ns"},
            sigma=0.04,
        ),
        claim(
            "dark.complete",
            "all CsPbBr3 peaks after 48 h in water",
            "postdiction",
            "reproduced",
            "Complete at 46 ± 4 h.",
            value=48,
            unit="h",
            tolerance=6,
            answer={"value": 46.0, "std": 4.0, "unit": "h"},
            sigma=0.5,
        ),
        claim(
            "laser.narrowing",
            "a 0.3 nm line “when the pump power goes up to 2.5 µJ/cm²”",
            "consistency",
            "contradictory",
            "2.5 µJ/cm² is a hundredth of the threshold that the same paper states (254 µJ/cm²).",
            value=2.5,
            unit="uJ/cm^2",
            tolerance=0.3,
            answer={"value": 254.0, "std": 0.0, "unit": "uJ/cm^2"},
            sigma=838.0,
        ),
        claim(
            "laser.shots",
            "8.6e7 shots at 1 kHz, “longer than 24 hours”",
            "consistency",
            "contradictory",
            "8.6×10⁷ shots at 1 kHz take 23.89 h.",
            value=24,
            unit="h",
            answer={"value": 23.89, "std": 0.0, "unit": "h"},
        ),
        claim(
            "xps.oleate",
            "365 nm leaves the least Pb-oleate",
            "external",
            "undetermined",
            "It needs the curves of Fig. S6, which are not at hand.",
        ),
        claim(
            "photocurrent.order",
            "sample 1 < 2 < 3 in photocurrent",
            "prediction",
            "not_covered",
            "No model of the photocurrent yet.",
            value="1 < 2 < 3",
        ),
    ]
    return {
        "study": {
            "id": "yang2020",
            "title": "Ultrahigh photo-stable all-inorganic perovskite nanocrystals and their robust random lasing",
            "doi": "10.1039/c9na00775j",
            "authors": "L. Yang, T. Wang, Q. Min et al., Nanoscale Adv. 2020, 2, 888",
        },
        "items": items,
        "claims": claims,
        "versions": versions,
        "warnings": ["Two files of the data folder were not used: notes.txt, old.dat."],
    }
