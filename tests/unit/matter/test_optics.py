"""Refractive indices, absorption of nanocrystals, two-photon absorption and filters, against other people's numbers."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import yaml
from scipy.special import spherical_jn, spherical_yn

from perolas.core.errors import InputError
from perolas.matter import optics
from perolas.matter.parameters_library import library, parameter_value
from perolas.matter.specimen import PHASES


def mie_absorption_cm1(index, around, wavelength_nm, radius_nm):
    """Absorption per volume of one sphere, from the Mie series as Bohren and Huffman give it (their eq. 4.53, 4.61)."""
    x, m = 2 * np.pi * around * radius_nm / wavelength_nm, index / around
    total_ext = total_sca = 0.0
    for n in range(1, 8):
        inner, outer = spherical_jn(n, m * x), spherical_jn(n, x)
        psi_m, psi_x = m * x * inner, x * outer
        d_psi_m = inner + m * x * spherical_jn(n, m * x, derivative=True)
        d_psi_x = outer + x * spherical_jn(n, x, derivative=True)
        xi = x * (spherical_jn(n, x) + 1j * spherical_yn(n, x))
        d_xi = xi / x + x * (spherical_jn(n, x, derivative=True) + 1j * spherical_yn(n, x, derivative=True))
        a = (m * psi_m * d_psi_x - psi_x * d_psi_m) / (m * psi_m * d_xi - xi * d_psi_m)
        b = (psi_m * d_psi_x - m * psi_x * d_psi_m) / (psi_m * d_xi - m * xi * d_psi_m)
        total_ext += (2 * n + 1) * (a + b).real
        total_sca += (2 * n + 1) * (abs(a) ** 2 + abs(b) ** 2)
    efficiency = 2 / x**2 * (total_ext - total_sca)
    return efficiency * np.pi * radius_nm**2 / (4 / 3 * np.pi * radius_nm**3) * 1e7


@pytest.mark.parametrize(
    ("material", "nm", "n", "error"),
    [
        ("water", 589.3, 1.33299 * 1.00027, 2e-5),  # CRC Handbook, 20 C, there against air
        ("fused silica", 587.6, 1.45846, 5e-5),  # Malitson 1965, table
        ("glass", 587.56, 1.51680, 2e-5),  # n_d of the data sheet
        ("toluene", 589.3, 1.4967, 3e-3),  # CRC Handbook, 20 C
        ("polystyrene", 587.6, 1.5916, 3e-3),  # Sultanova 2009, table
    ],
)
def test_index_of_known_materials(material, nm, n, error):
    index = complex(optics.refractive_index(material, nm))
    assert index.real == pytest.approx(n, abs=error)
    assert index.imag == 0


@pytest.mark.parametrize(
    ("file", "dataset"),
    [("Brennan", "brennan2024"), ("Ermolaev-o", "ermolaev2023_o"), ("Ermolaev-e", "ermolaev2023_e")],
)
def test_thinned_tables_against_the_full_ones(file, dataset, data_dir):
    full = yaml.safe_load((data_dir / "optics" / f"CsPbBr3_{file}.yml").read_text(encoding="utf-8"))
    nm, n, k = np.array([[float(v) for v in row.split()] for row in full["DATA"][0]["data"].strip().splitlines()]).T
    index = optics.refractive_index("CsPbBr3", nm * 1000, dataset)
    np.testing.assert_allclose(index.real, n, rtol=0.003)
    np.testing.assert_allclose(index.imag, k, rtol=0.01, atol=5e-6)


@pytest.mark.parametrize("nm", [254.0, 335.0, 365.0, 468.0])
def test_absorption_is_the_small_limit_of_mie(nm):
    index, around = complex(optics.refractive_index("CsPbBr3", nm)), complex(optics.refractive_index("toluene", nm))
    mu = float(optics.intrinsic_absorption_cm1("CsPbBr3", nm))
    # The series is the exact solution; it leaves the limit by terms of (size over wavelength)^2.
    assert mu == pytest.approx(mie_absorption_cm1(index, around.real, nm, 0.5), rel=2e-3)
    assert mu == pytest.approx(mie_absorption_cm1(index, around.real, nm, 10.0), rel=0.2)


def test_local_field_limits():
    assert complex(optics.local_field_factor(1.5, 1.5)) == pytest.approx(1.0)  # no boundary, so no change of the field
    assert complex(optics.local_field_factor(1.0, 1e6)) == pytest.approx(1.5)  # a void in a conductor
    # A medium of the crystal's own index: mu is that of the bulk, 4 pi k / lambda, but for k^2.
    nm, index = 532.0, complex(optics.refractive_index("CsPbBr3", 532.0))
    field = complex(optics.local_field_factor(index, index.real))
    mu = 4 * np.pi * index.real * index.imag / (nm * 1e-7 * index.real) * abs(field) ** 2
    assert mu == pytest.approx(4 * np.pi * index.imag / (nm * 1e-7), rel=1e-4)


# From an own calculation of the project with n_s = 1.5 throughout (parameters.md, section 3): another code, same data.
@pytest.mark.parametrize(
    ("nm", "mu"), [(254, 2.7e5), (335, 1.61e5), (365, 1.02e5), (400, 6.2e4), (468, 3.6e4), (532, 3e3)]
)
def test_intrinsic_absorption(nm, mu):
    assert float(optics.intrinsic_absorption_cm1("CsPbBr3", nm)) == pytest.approx(mu, rel=0.05)


def test_uncertainty_of_absorption_grows_at_the_edge():
    std = optics.intrinsic_absorption_relative_std("CsPbBr3", [254.0, 365.0, 400.0, 468.0, 532.0])
    np.testing.assert_allclose(std[1:4], 0.2, atol=0.02)  # stated: 20 %
    assert 0.27 < std[0] < 0.35  # 30 %
    assert 0.6 < std[4] < 1.2  # a factor 2 to 3


def test_spread_holds_the_difference_of_data_sets():
    spread = complex(optics.index_spread("CsPbBr3", 600.0))
    sets = [complex(optics.refractive_index("CsPbBr3", 600.0, d)).real for d in optics.datasets("CsPbBr3")]
    assert spread.real >= np.std(sets, ddof=1)
    assert complex(optics.index_spread("CsPbBr3", 400.0)).imag == pytest.approx(0.12 * 0.25684, rel=0.01)


def test_cs4pbbr6_absorbs_where_it_is_known_to():
    mu = np.asarray(optics.intrinsic_absorption_cm1("Cs4PbBr6", [314.0, 254.0, 365.0, 468.0]))
    np.testing.assert_allclose(mu[:2], [3e5, 1.5e5], rtol=0.02)
    assert mu[2] < 1e2
    assert mu[3] < 1
    nm = np.linspace(305, 325, 401)
    assert nm[np.argmax(optics.intrinsic_absorption_cm1("Cs4PbBr6", nm))] == pytest.approx(314, abs=1)


@pytest.mark.parametrize("phase", PHASES)
def test_every_phase_is_answered_at_468_nm(phase):
    mu = float(optics.intrinsic_absorption_cm1(phase, 468.0))
    assert mu == 0 if phase in ("CsPb2Br5", "CsBr", "PbBr2") else mu > 0


@pytest.mark.parametrize("phase", ["CsPb2Br5", "PbBr2"])
def test_no_data_above_the_gap_is_said(phase):
    with pytest.raises(InputError, match="is not known: it has no data here"):
        optics.intrinsic_absorption_cm1(phase, 300.0)


def test_twenty_nanometres_at_365():
    assert float(optics.absorption_cross_section_cm2("CsPbBr3", 365, 20)) == pytest.approx(8.2e-13, rel=0.05)
    assert float(optics.excitation_rate_s1("CsPbBr3", 365, 20, 2)) == pytest.approx(3.0e3, rel=0.05)
    sphere = optics.absorption_cross_section_cm2("CsPbBr3", 365, 20, shape="sphere")
    assert float(sphere / optics.absorption_cross_section_cm2("CsPbBr3", 365, 20)) == pytest.approx(np.pi / 6)


def test_two_photon_absorption():
    slope = jax.grad(lambda log_l: jnp.log(optics.two_photon_cross_section_gm(jnp.exp(log_l))))(jnp.log(12.0))
    assert float(slope) == pytest.approx(3.3)  # Chen 2017
    assert float(optics.two_photon_coefficient_cm_gw()) == pytest.approx(8.6)
    # One photon energy times beta times the volume is the cross-section, but for the local field.
    beta_cm_w, photon_j, volume = 8.6e-9, 1.5498 * 1.602e-19, (9e-7) ** 3
    estimate_gm = beta_cm_w * photon_j * volume * 1e50
    assert 0.1 < estimate_gm / float(optics.two_photon_cross_section_gm(9.0)) < 10


def test_solvents():
    assert float(optics.solvent_absorption_cm1("toluene", 254)) == pytest.approx(3.7e3, rel=0.01)
    assert float(optics.solvent_absorption_cm1("toluene", 365)) < 0.03
    # Kedenburg 2012: k = 1.38863e-8 at 500 nm and 1.57882e-8 at 800 nm
    for nm, k in ((500.0, 1.38863e-8), (800.0, 1.57882e-8)):
        assert float(optics.solvent_absorption_cm1("toluene", nm)) == pytest.approx(4e7 * np.pi * k / nm, rel=0.05)
    assert float(optics.solvent_absorption_cm1("water", 365)) < 0.01


def test_vial():
    # The maker's note: a filled tube of 2.2 mm passes 95.6 % (Duran, with water inside).
    assert float(optics.vial_transmission("borosilicate", 600, 2.2, "water")) == pytest.approx(0.956, abs=0.004)
    assert float(optics.vial_transmission("borosilicate", 254)) < 0.02
    assert float(optics.vial_transmission("quartz", 254)) > 0.9
    left = optics.light_reaching(2.0, 254, "open", depth_cm=3e-4)
    assert float(left / optics.light_reaching(2.0, 254, "open")) == pytest.approx(np.exp(-1.11), rel=0.01)


@pytest.mark.parametrize(
    ("function", "x"),
    [
        (lambda nm: optics.refractive_index("CsPbBr3", nm).real, 401.3),
        (lambda nm: optics.refractive_index("toluene", nm).real, 600.3),
        (lambda nm: optics.intrinsic_absorption_cm1("CsPbBr3", nm), 470.4),
        (lambda nm: optics.intrinsic_absorption_cm1("Cs4PbBr6", nm), 318.2),
        (lambda nm: optics.excitation_rate_s1("CsPbBr3", 365.0, nm, 2.0), 17.0),
        (lambda nm: optics.light_reaching(2.0, nm, depth_cm=0.001), 262.3),
        (lambda nm: optics.two_photon_cross_section_gm(9.0, nm), 803.1),
        (lambda l: optics.confinement_ev(l), 7.0),
        (lambda t: optics.emission_energy_ev(t, 12.0), 140.0),
        (lambda t: optics.emission_fwhm_ev(t), 140.0),
    ],
)
def test_gradients_against_finite_differences(function, x):
    step = 1e-4 * x
    difference = (function(x + step) - function(x - step)) / (2 * step)
    assert float(jax.grad(function)(x)) == pytest.approx(float(difference), rel=1e-4)


def test_a_traced_wavelength_outside_gives_nan():
    assert np.isnan(jax.jit(lambda nm: optics.intrinsic_absorption_cm1("CsPbBr3", nm))(100.0))
    assert np.isnan(jax.jit(lambda nm: optics.intrinsic_absorption_cm1("CsPb2Br5", nm))(300.0))


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda: optics.refractive_index("CsPbBr3", 100), "100 nm lies outside the range of .* 200-2500 nm"),
        (lambda: optics.refractive_index("CsPbBr3", 300, "ermolaev2023_o"), "brennan2024 reaches 200-2500 nm"),
        (lambda: optics.refractive_index("tolune", 300), 'did you mean "toluene"'),
        (lambda: optics.refractive_index("CsPbBr3", 300, "smith"), "data set of CsPbBr3"),
        (lambda: optics.refractive_index("water", [400, -1]), '"wavelength" must be positive, but is -1 nm'),
        (lambda: optics.absorption_cross_section_cm2("CsPbBr3", 365, -2), '"size" must be positive, but is -2 nm'),
        (lambda: optics.absorption_cross_section_cm2("CsPbBr3", 365, 2, shape="rod"), 'The shape "rod"'),
        (lambda: optics.excitation_rate_s1("CsPbBr3", 365, 20, -2), "irradiance"),
        (lambda: optics.intrinsic_absorption_cm1("CsPbI3", 365), 'The phase "CsPbI3" is not known'),
        (lambda: optics.solvent_absorption_cm1("toluene", 2000), "range of the absorption of toluene, 240-900 nm"),
        (lambda: optics.vial_transmission("plastic", 365), "The vial"),
        (lambda: optics.two_photon_cross_section_gm(9.0, 300), "range of two-photon absorption"),
        (lambda: optics.band_gap_ev("CsPbBr3", 0.0), '"temperature" must be positive, but is 0 K'),
        (lambda: optics.emission_energy_ev(300, 20, "CsBr"), "no emission of its own"),
    ],
)
def test_bad_input_is_a_sentence(call, sentence):
    with pytest.raises(InputError, match=sentence):
        call()


def test_used_parameters_exist():
    assert set(optics.PARAMETERS_USED) <= set(library())
    assert len(set(optics.PARAMETERS_USED)) == len(optics.PARAMETERS_USED)
    assert parameter_value("CsPbBr3.band_gap") == 2.36
