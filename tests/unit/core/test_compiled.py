"""Compiled code is let go before a process runs out of memory mappings."""

import jax
import jax.numpy as jnp

from perolas.core.compiled import make_room


def test_compiled_functions_are_forgotten_and_made_again():
    calls = []

    @jax.jit
    def square(x):
        calls.append(1)  # only while it is traced
        return x * x

    assert square(jnp.asarray(3.0)) == 9.0
    assert not make_room(most=10**9)
    square(jnp.asarray(3.0))
    assert len(calls) == 1
    assert make_room(most=0)
    assert square(jnp.asarray(3.0)) == 9.0
    assert len(calls) == 2
