"""Shapes of real repositories, each taken from `nocturne init` to its first verdict by what a user types."""
