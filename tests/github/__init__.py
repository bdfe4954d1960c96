"""A GitHub on loopback: real git over HTTP, a REST API with GitHub's rules, and failures on demand."""
