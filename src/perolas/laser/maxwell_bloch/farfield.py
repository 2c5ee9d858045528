r"""The field far away from what is known on a box around everything that radiates, in two dimensions.

With u the component out of the plane (E for TM, H for TE), far away
:math:`u \to f(\varphi) e^{ikr}/\sqrt r`, and Green's theorem on the box gives

.. math::
   f = \frac{i}{4} \sqrt{\frac{2}{\pi k}} e^{-i\pi/4} \oint (-ik\, \hat r \cdot \hat n\, u - \partial_n u)
   e^{-ik \hat r \cdot r'} dl' .

Source: Taflove and Hagness, Computational Electrodynamics, 2005, chapter 8; Morse and Feshbach, section 7.2.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Complex, Float
from numpy.typing import ArrayLike

from perolas.core.errors import InputError
from perolas.laser.maxwell_bloch.detectors import Box, surfaces
from perolas.laser.maxwell_bloch.run import Run


def far_amplitude(run: Run, name: str, angles: ArrayLike, index: float = 1.0) -> Complex[np.ndarray, "f a"]:
    """Return the far field's amplitude for each frequency and angle.

    Args:
        run: of a grid of two dimensions.
        name: of its `Box`, which lies in one medium.
        angles: from the x axis, shape (a,), rad.
        index: of the medium outside the box.

    Returns:
        f, shape (f, a).

    Raises:
        InputError: another dimension, or the detector is no box.
    """
    grid = run.simulation.grid
    found = [d for d in run.simulation.detectors if d.name == name]
    if grid.dimension != 2 or not found or not isinstance(found[0], Box):
        raise InputError("A far field is made from a Box on a grid of two dimensions.")
    box = found[0]
    omega = np.atleast_1d(np.asarray(box.frequencies, float))
    phi = np.atleast_1d(np.asarray(angles, float))
    k = index * omega
    total = np.zeros((omega.size, phi.size), complex)
    sums, at = run.sums[name], 0
    for face in surfaces(grid, box):
        for e, _, sign, weights in face.pairs:
            electric, magnetic = np.asarray(sums[at]), np.asarray(sums[at + 1])
            at += 2
            # sign * side is that of E x H along the outward normal, from which curl E and curl H follow.
            turn = 1j * omega[:, None, None] * sign * face.side
            if grid.polarization == "tm":
                u, slope = electric, turn * magnetic
            else:
                u, slope = magnetic, turn * index**2 * electric
            lines = [
                zero + grid.spacing * (s + shift + np.arange(n))
                for zero, s, shift, n in zip(grid.origin, e.start, grid.offset(e.component), e.shape, strict=True)
            ]
            x, y = (line.ravel() for line in np.meshgrid(*lines, indexing="ij"))
            outward = face.side * (np.cos(phi) if face.axis == 0 else np.sin(phi))
            way = np.cos(phi)[:, None] * x + np.sin(phi)[:, None] * y  # (a, samples)
            phase = np.exp(-1j * k[:, None, None] * way) * weights.ravel()
            u, slope = u.reshape(omega.size, 1, -1), slope.reshape(omega.size, 1, -1)
            integrand = -1j * k[:, None, None] * outward[:, None] * u - slope
            total += grid.spacing * np.sum(integrand * phase, axis=-1)
    front = 0.25j * np.sqrt(2.0 / (np.pi * k)) * np.exp(-0.25j * np.pi)
    return front[:, None] * total


def far_energy(run: Run, name: str, angles: ArrayLike, index: float = 1.0) -> Float[np.ndarray, "f a"]:
    """Return the energy that leaves for each unit of angle and of angular frequency.

    Args:
        run: of a grid of two dimensions.
        name: of its `Box`.
        angles: from the x axis, shape (a,), rad.
        index: of the medium outside the box.

    Returns:
        Shape (f, a); its integral over the angles is the box's flux.

    Raises:
        InputError: another dimension, or the detector is no box.
    """
    scale = index if run.simulation.grid.polarization == "tm" else 1.0 / index
    return np.abs(far_amplitude(run, name, angles, index)) ** 2 * scale / np.pi
