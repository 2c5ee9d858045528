"""Print pyproject's lower bounds as exact pins, for a constraints file (see CONTRIBUTING.md)."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path


def lower_bounds(text: str) -> list[str]:
    """Return "name==version" for every dependency and extra of a pyproject text that has a lower bound."""
    project = tomllib.loads(text)["project"]
    listed = [*project["dependencies"], *(d for extra in project["optional-dependencies"].values() for d in extra)]
    bounds = (re.match(r"([\w.-]+)>=([\w.]+)$", item) for item in listed)
    return sorted(f"{bound[1]}=={bound[2]}" for bound in bounds if bound)


if __name__ == "__main__":
    print("\n".join(lower_bounds((Path(__file__).parents[1] / "pyproject.toml").read_text(encoding="utf-8"))))
