"""The rules of an experiment: plain functions on plain data, no client library, no I/O."""
