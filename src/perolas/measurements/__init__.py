"""One file per technique; each is a forward model that simulates and inverts."""
