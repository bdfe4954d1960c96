"""What `nocturne init` says there remains to do, for the configuration at hand."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath

from bot.config import CONFIG_PATH, Config, campaigns, parse
from bot.github.cuts import SET_IT
from bot.loop.settings import can_have_cuts


def next_steps(top: Path, text: str, *, changed: bool, labels: Sequence[str] | None) -> Iterator[str]:
    """Yield lines for a repository with the configuration `text`; `changed` if files were written.

    `labels` are those of the runner if the loop runs on GitHub, None if it runs here.
    """
    names = campaigns(text)
    _, config = parse(text, campaign=names[0])
    yield from _missing(top, config)
    commit = "git add -A && git commit -m 'Add Nocturne' && " if changed else ""
    if labels is None:
        key = "ANTHROPIC_API_KEY=... " if _needs_claude(config) else ""
        campaign = f" --campaign {names[0]}" if len(names) > 1 else ""
        yield f"next: {commit}{key}nocturne run{campaign}"
        return
    yield f"next: {commit}git push"
    yield "On GitHub there remains to do:"
    yield "  Settings, Actions, General: allow GitHub Actions to create and approve pull requests"
    tools = ["git", "python3-venv"]
    if config.evaluator.jail in ("auto", "bubblewrap"):
        tools.insert(0, "bubblewrap")
    with_tools = f"{', '.join(tools[:-1])} and {tools[-1]}"
    yield f"  Settings, Actions, Runners: a self-hosted runner with the labels {','.join(labels)}, with {with_tools}"
    if _needs_claude(config):
        yield "  Settings, Secrets and variables, Actions: the secret ANTHROPIC_API_KEY, for Claude"
        yield "  then Actions, Nocturne, Run workflow"
    else:
        yield "  then Actions, Nocturne, Run workflow; no secret is needed for that"
    if can_have_cuts(config):
        yield f"For targets that no run is ever shown (cuts), a random secret that nobody needs to know: {SET_IT}"
    if len(names) > 1:
        others = ", ".join(names[1:])
        yield f"  the workflow runs the campaign {names[0]}; copy it for {others}, and change campaign and group there"
    if config.remote is None:
        yield f"To see the campaign from this clone too, write `remote: origin` into {CONFIG_PATH}"
    channel = "" if config.slack.channel else " and the key slack.channel"
    yield f"For messages in Slack: the secret SLACK_BOT_TOKEN{channel}, or the secret SLACK_WEBHOOK_URL"


def _needs_claude(config: Config) -> bool:
    return "claude" in (config.proposer, config.reviewer)


def _missing(top: Path, config: Config) -> Iterator[str]:
    """Yield a line for each file that the configuration asks for and that is not there."""
    needed = list(config.editable)
    if config.script is not None:
        places = [str(folder / "prepare.py") for folder in PurePosixPath(config.script).parents]
        found = next((path for path in places if (top / path).exists()), places[0])
        needed = [config.script, found, *needed]
    for path in dict.fromkeys(needed):
        if not (top / path).exists():
            own = f"name your own under `editable:` in {CONFIG_PATH}"
            starter = ", or use `nocturne init --starter`" if config.script is not None else ""
            yield (
                f"{path} is missing: add it, or {own}{starter}"
                if path in config.editable
                else (
                    f"{path} is missing: add it{starter}, or write `kind: command` for a script that prints its score"
                )
            )
    if not (top / config.program).exists():
        metric = config.evaluator.metric
        aim = f"{'Lower' if metric.direction == 'minimize' else 'Raise'} {metric.name}."
        yield (
            f"{config.program} is missing: write into it what shall be explored, be it only `echo '{aim}' >"
            f" {config.program}`"
        )
