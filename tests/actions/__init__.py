"""Workflows and action: run by act against the GitHub on loopback, and checked against their schemas."""
