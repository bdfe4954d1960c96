"""What a campaign's runs tell of cuts: targets that no run is shown."""

from __future__ import annotations

from collections.abc import Mapping

from bot.rules.campaign import Campaign


def cuts_of_newest(campaign: Campaign | None) -> Mapping[str, float]:
    """Return how many `cuts` the newest whole run on validation text was asked at (0 if at none), and what
    `cuts_caught_bpb` of that many is; empty if there is no such run."""
    runs = reversed(campaign.full_runs() if campaign is not None else ())
    cuts = None
    for metrics in (run.metrics for run in runs if "eval_tokens" in run.metrics):
        if cuts is None:
            cuts = metrics.get("cuts", 0.0)
        if not cuts:
            break
        if "cuts_caught_bpb" in metrics and metrics.get("cuts") == cuts:
            return {"cuts": cuts, "cuts_caught_bpb": metrics["cuts_caught_bpb"]}
    return {} if cuts is None else {"cuts": cuts}
