"""What it means to let Claude work on a repository: what it is shown, and what a night costs at most."""

from __future__ import annotations

from collections.abc import Iterator

from bot.config import Config


def disclosure(config: Config) -> Iterator[str]:
    """Yield sentences to say before a key is used; none if the configuration lets no model work."""
    roles = {"proposes": config.proposer, "reviews": config.reviewer}
    working = [f"{config.models.proposer if does == 'proposes' else config.models.reviewer} {does}"
               for does, who in roles.items() if who == "claude"]  # fmt: skip
    if config.outer != "off" and config.proposer == "claude":
        working += [f"{model} may propose in its place" for model in config.models.alternatives]
    if config.outer == "generated":
        working.append(f"{config.models.researcher} writes mechanisms")
    if not working:
        return
    kept = config.models.leave_out
    yield (
        f"{' and '.join(working)}: shown are the program, {', '.join(config.editable)}, other tracked files if it looks"
        " them up, scores and ends of logs; all of that goes to Anthropic, or to ANTHROPIC_BASE_URL;"
        f" kept out: {', '.join(kept) if kept else 'nothing more than credentials and what `evaluator.data` names'}"
        " (`models.leave_out`)"
    )
    caps = [
        f"{usd:g} USD {span} (`{key}`)"
        for usd, span, key in (
            (config.models.experiment_usd, "an experiment", "models.experiment_usd"),
            (config.models.night_usd, "in any 24 hours", "models.night_usd"),
            *(
                [(config.models.researcher_usd, "of that for mechanisms", "models.researcher_usd")]
                if config.outer == "generated"
                else []
            ),
            (config.stop.cost_usd, "for the campaign", "stop.cost_usd"),
        )
        if usd is not None
    ]
    at_most = ", ".join(caps) if caps else "whatever it comes to: no cap is set (`models.night_usd`)"
    yield f"Claude costs at most {at_most}; if that is spent the offline search proposes"
