"""Statements to studies, without a file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from perolas.study.audit.check import audit
from perolas.study.lines import Lines
from perolas.study.schema import Study
from perolas.study.tables import File


def audited(*stated: dict[str, Any], look: Any = None) -> dict[str, Any]:
    """The audit of statements; names and the subject are made up where they are not given."""
    tables = [{"name": f"s{i}", "of": "it", **s} for i, s in enumerate(stated)]
    file = File.model_validate({"study": {"id": "made-up", "title": "Made up"}, "stated": tables})
    return audit(Study(file, [], Path("made-up.toml"), Lines("")), look)


@pytest.fixture
def audit_of() -> Callable[..., dict[str, Any]]:
    return audited
