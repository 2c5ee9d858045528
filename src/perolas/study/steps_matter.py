"""Kinds of step about matter: "recipe", "ageing" and "optics"; jax is imported only when one of them is done."""

from __future__ import annotations
