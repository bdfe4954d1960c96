"""Slack, by slack_sdk: the one room that imports it, and only once something is sent."""
