"""Studies: files that string measurements, steps and claims together."""
