"""Campaigns that never ran: what the project's own rule finds if what proposals do and how runs vary is given. Pure."""
