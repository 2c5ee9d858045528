"""Forward models, noise, inversion and estimates; this layer knows no physics."""

import os
import sys

# Two Python threads that run compiled functions at once can wait for each other for ever inside XLA's own pool, unless
# the CPU backend runs each call in the thread that made it. That can only be asked for before jax is loaded.
if "jax" not in sys.modules:
    os.environ.setdefault("JAX_CPU_ENABLE_ASYNC_DISPATCH", "0")
# What a library would raise inside a compiled function becomes NaN, which is what our own code does there too: a call
# back to Python would keep compiled functions out of the cache on disk.
os.environ.setdefault("EQX_ON_ERROR", "nan")
THREADS_ARE_SAFE = "jax" not in sys.modules and os.environ.get("JAX_CPU_ENABLE_ASYNC_DISPATCH") in (
    "0",
    "false",
    "False",
)
