"""Forward models, noise, inversion and estimates; this layer knows no physics."""
