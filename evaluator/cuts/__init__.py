"""Cuts: targets that never enter a jail, at which what a candidate has gained must hold."""
