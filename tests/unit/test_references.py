"""Whatever a technique cites can be printed as BibTeX, and whatever it uses is in the library."""

from __future__ import annotations

import pytest

from perolas.matter import parameters_library
from perolas.measurements.registry import technique, techniques

NAMES = [getattr(t, "name", t) for t in techniques()]


@pytest.mark.parametrize("name", NAMES)
def test_sources_and_parameters_are_known(name: str) -> None:
    module = technique(str(name)).load()
    assert set(module.REFERENCES) <= set(parameters_library.sources())
    for parameter in getattr(module, "PARAMETERS_USED", ()):
        assert parameters_library.physical_parameter(parameter).source in parameters_library.sources() | {
            "estimated here": {}
        }
