"""The random laser: the pump, the gain medium and the models of threshold and emission.

- `pump`: from power, spot and pulse to excitations in each nanocrystal, with the errors of the cross-sections;
  `beams` (spots and pulses) and `layers` (interference in a film) are what it is made of.
- `gain`: band filling in a box, transparency, the exciton ladder, how long gain lasts.
- `film`: a film of nanocrystals as a scattering medium: Mie, mean free paths, index, leakage into silicon.
- `packing`: where its grains lie: discs, spheres, aggregates, random fields, and a picture of them; `discs`: light
  among parallel cylinders; `feedback`: what has to send light back where packed grains are too small to.
- `rate`: rate equations with the spontaneous-emission factor beta, steady and in time.
- `diffusion`: light that diffuses in a pumped region with gain, after Letokhov: threshold for any pumped shape;
  `diffusion_time` adds time and saturation.
- `threshold`: the threshold of a film predicted as a distribution, by two tiers, with the budget of its uncertainty.
- `photostability`: output over the shots, by both readings of a light test.
- `statistics`: shot series and spectra: Levy index, overlap, mode spacing, loop length.

Everything is imported from its own module, so that a pump calculation does not load a solver.
"""
