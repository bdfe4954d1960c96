"""What a job tells of an experiment: outputs for the jobs after it, and the story on the job's page."""

from __future__ import annotations

from collections.abc import Mapping

from bot.github.files import add_summary, set_outputs
from bot.loop.commits import ensure_commit
from bot.loop.context import Context
from bot.loop.settings import rule_of
from bot.rules.experiment import Experiment
from bot.tell.views.experiment import TITLE_LIMIT, pull_body
from bot.tell.writers import markdown


def tell(environ: Mapping[str, str], context: Context, number: int, **more: object) -> Experiment:
    """Set the outputs of an experiment, and `more`; add its story to the summary once it is finished."""
    campaign = context.ledger.known()
    experiment = campaign.experiments[number]
    set_outputs(environ, outputs(experiment) | more)
    if experiment.finished_at is not None and experiment.candidate is not None:
        ensure_commit(context, experiment)
        diff = context.git.diff(experiment.candidate.parent, experiment.candidate.commit)
        head = f"## Experiment {number}: {markdown.escape(experiment.title, TITLE_LIMIT)}"
        if experiment.pull is not None and experiment.pull.url.startswith(("http://", "https://")):
            head += f" ([#{experiment.pull.pull}]({experiment.pull.url}))"
        story = markdown.write(pull_body(campaign, experiment, diff, rule=rule_of(context.config, campaign)))
        add_summary(environ, f"{head}\n\n{story}")
    return experiment


def outputs(experiment: Experiment) -> dict[str, object]:
    """Return the outputs of an experiment: number, pull request, verdict and score as far as there are any."""
    decision = experiment.decision if experiment.finished_at else None
    return {
        "experiment": experiment.number,
        "pull-request": experiment.pull.pull if experiment.pull else "",
        "verdict": decision.verdict if decision else "",
        "score": "" if decision is None or decision.score is None else decision.score,
    }
