"""Films of halide perovskites: which of eight candidates each pattern shows.

Data: Oviedo et al., npj Computational Materials 2019, 5, 60 (the sets of AUTO-XRD); the label is in the file's name.
Cells: from the literature on each compound, rounded; coordinates idealised, organic cations as one carbon. Known
answers: the film called FAPbI3 is its hexagonal delta phase, the one of MAPbBr3 shows orders of one plane only.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from perolas.io import read
from perolas.measurements import xrd
from perolas.measurements.xrd.candidates import rank

pytestmark = pytest.mark.full  # a minute of fits

CANDIDATES = {  # name: a, c in angstrom, gamma, space group, sites
    "MAPI": (8.855, 12.66, 90, "I 4/m c m", ["Pb 0 0 0", "I 0 0 0.25", "I 0.2 0.7 0", "C 0 0.5 0.25"]),
    "MAPbBr3": (5.93, 5.93, 90, "P m -3 m", ["Pb 0 0 0", "Br 0.5 0 0", "C 0.5 0.5 0.5"]),
    "Cs2AgBiBr6": (
        11.25, 11.25, 90, "F m -3 m", ["Cs 0.25 0.25 0.25", "Ag 0.5 0.5 0.5", "Bi 0 0 0", "Br 0.25 0 0"],
    ),
    "Cs3Bi2Br9": (
        7.97, 9.86, 120, "P -3 m 1",
        ["Cs 0 0 0", "Cs 0.3333 0.6667 0.67", "Bi 0.3333 0.6667 0.185", "Br 0.5 0 0", "Br 0.165 0.835 0.33"],
    ),
    "delta-FAPbI3": (8.66, 7.90, 120, "P 63/m m c", ["Pb 0 0 0", "I 0.166 0.332 0.25", "C 0.3333 0.6667 0.75"]),
}  # fmt: skip
FILMS = {
    "MAPbBr3": "pm-3m__MAPbBr3_2-Theta_Omega.xy",
    "Cs3Bi2Br9": "P3m1__Cs3Bi2Br9_2-Theta_Omega.xy",
    "Cs2AgBiBr6": "Fm-3m__CsAgBiBr_2_2-Theta.xy",
    "MAPI": "I4Imcm__20180121_MAPI_3D_2-Theta_Omega_2-Theta_Omega.xy",
    "delta-FAPbI3": "pm-3m__FAPbI3_2-Theta_Omega.xy",
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    made = tmp_path_factory.mktemp("candidates")
    for name, (a, c, gamma, group, sites) in CANDIDATES.items():
        head = f"data_{name}\n_cell_length_a {a}\n_cell_length_b {a}\n_cell_length_c {c}\n"
        head += f"_cell_angle_alpha 90\n_cell_angle_beta 90\n_cell_angle_gamma {gamma}\n"
        head += f"_space_group_name_H-M_alt '{group}'\nloop_\n_atom_site_label\n_atom_site_type_symbol\n"
        head += "_atom_site_fract_x\n_atom_site_fract_y\n_atom_site_fract_z\n_atom_site_U_iso_or_equiv\n"
        rows = [f"{s.split()[0]}{i} {s} 0.04" for i, s in enumerate(sites)]
        (made / f"{name}.cif").write_text(head + "\n".join(rows) + "\n")
    return made


QUICK = ("MAPbBr3", "Cs3Bi2Br9")


@pytest.mark.parametrize("name", [pytest.param(n, marks=() if n in QUICK else pytest.mark.full) for n in FILMS])
def test_the_right_candidate_ranks_first(name: str, folder: Path, data_dir: Path) -> None:
    """Decisively (BIC by more than 10), with its cell within 0.5 % of the literature."""
    data = read(data_dir / "xrd" / FILMS[name], axis="two_theta_deg")
    rows = rank(data, phases=["CsPbBr3_cubic", "Cs4PbBr6", "CsPb2Br5"], cif=folder, anode="Cu")
    assert len(rows) == 9
    assert rows[0]["name"] == name
    assert rows[1]["bic"] > 10
    assert abs(rows[0]["strain"]) < 0.005
    if name == "MAPbBr3":
        assert rows[0]["verdict"].startswith("texture: cell only")
    if name == "Cs3Bi2Br9":
        assert any(abs(line["two_theta_deg"] - 10.9) < 0.15 for line in rows[0]["foreign_lines"])


def test_ranking_ends_in_a_fit_of_the_best() -> None:
    data = xrd.simulate(phases=["CsBr"], seed=1, span=(20.0, 45.0), step=0.05)
    found = xrd.fit(data, phases=["PbBr2", "CsBr"], candidates=True)
    assert found.extra["candidates"][0]["name"] == "CsBr"
    assert found.extra["candidates"][0]["model"] == "powder"
    assert "cell_a_CsBr" in found.names
    assert any("best of 2 candidates" in n for n in found.notes)
