"""Steers nothing: the control that shows what the search does by itself."""

from __future__ import annotations
