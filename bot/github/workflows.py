"""The workflows that a user's repository gets: a few lines that call ours, pinned to one commit."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Literal

from bot import __version__
from bot.errors import UserError
from bot.forge.labels import LABEL_IDEA
from bot.github.chain import run_title

WORKFLOW_PATH = ".github/workflows/nocturne.yml"
COMMANDS_PATH = ".github/workflows/nocturne-commands.yml"
MORNING_PATH = ".github/workflows/nocturne-morning.yml"
CHECKOUT = "actions/checkout@de0fac2e4500dabe0009e67214ff5f5447ce83dd # v6.0.2"
Form = Literal["one", "three"]
_ACTION = re.compile(r"[\w.-]+/[\w.-]+@[0-9a-f]{40}")
_HEAD = """\
# Written by `nocturne init --github`. Each run does one experiment and starts the next run, until a stop condition
# of {config} holds. Begin with "Run workflow" on the Actions page.
name: Nocturne{another}
run-name: "{title}"

on:
  workflow_dispatch:
    inputs:
      campaign:
        description: The campaign
        type: string
        default: {campaign}
      attempt:
        description: Counted by the chain itself
        type: string
        default: "0"
  schedule:
    - cron: "{minute} * * * *" # begins a chain again that broke

permissions: {{}}

concurrency: # one chain for each campaign and runner; of runs that wait the newest is kept
  group: nocturne-${{{{ inputs.campaign || '{campaign}' }}}}-{runner}{suffix}
  cancel-in-progress: false

jobs:
"""
_PERMISSIONS = """\
    permissions:
      actions: write # start the next run
      checks: write # the full report on each tested commit
      contents: write # the ledger, the experiments' branches and the campaign's
      issues: write # say what became of an idea, and ask for a human
      pull-requests: write # open, label and close the experiments
      statuses: write # say what review and evaluator found
"""
_ONE = """\
  experiment:
    name: Experiment
    runs-on: {labels} # zizmor: ignore[self-hosted-runner] the GPU is there; candidates run in a jail
    timeout-minutes: 720
{permissions}\
    steps:
      - uses: {checkout}
        with:
          fetch-depth: 0
          persist-credentials: false
      - uses: {action} # {version}
        with:
          campaign: ${{{{ inputs.campaign || '{campaign}' }}}}
          continue: "true"
          # each may be missing: only Claude needs the first; without the second no targets are kept from all runs
          anthropic-api-key: ${{{{ secrets.ANTHROPIC_API_KEY }}}} # zizmor: ignore[secrets-outside-env] unattended
          cuts-key: ${{{{ secrets.NOCTURNE_CUTS_KEY }}}} # zizmor: ignore[secrets-outside-env] unattended
"""
_THREE = """\
  iterate:
    name: Experiment
{permissions}\
    uses: {name}/.github/workflows/iterate.yml@{commit} # {version}
    with:
      campaign: ${{{{ inputs.campaign || '{campaign}' }}}}
      attempt: ${{{{ inputs.attempt || '0' }}}}
      train-on: '{labels}'
    secrets: # each may be missing
      anthropic-api-key: ${{{{ secrets.ANTHROPIC_API_KEY }}}} # only Claude needs it
      NOCTURNE_CUTS_KEY: ${{{{ secrets.NOCTURNE_CUTS_KEY }}}} # without it no targets are kept from all runs
      SLACK_BOT_TOKEN: ${{{{ secrets.SLACK_BOT_TOKEN }}}} # for messages of the night
      SLACK_WEBHOOK_URL: ${{{{ secrets.SLACK_WEBHOOK_URL }}}}
"""
_COMMANDS = """\
# Written by `nocturne init --github`. Does what comments ask that begin with /nocturne, and hears of issues with the
# label {idea} and of what is done to experiments' pull requests by hand, all from people who may write here.
name: Nocturne commands

on:
  issue_comment: # zizmor: ignore[dangerous-triggers] no code of a pull request is run, and only writers are heard
    types: [created]
  issues:
    types: [labeled, unlabeled, closed]
  pull_request: # a fork's is passed over; of an experiment's only the number is taken, and the default branch is run
    types: [closed, reopened, synchronize, labeled, edited]
  pull_request_review:
    types: [submitted]

permissions: {{}}

concurrency: # each comment is answered by itself; the same one never twice at a time
  group: nocturne-comment-${{{{ github.event.comment.id || github.run_id }}}}
  cancel-in-progress: false

jobs:
  answer:
    name: Answer
    if: >-
      (github.event_name == 'issue_comment' && startsWith(github.event.comment.body, '/nocturne') &&
      github.event.comment.user.type == 'User') ||
      (github.event_name == 'issues' && (github.event.label.name == '{idea}' ||
      (github.event.action == 'closed' && contains(github.event.issue.labels.*.name, '{idea}')))) ||
      (github.event.pull_request.head.repo.full_name == github.repository &&
      startsWith(github.event.pull_request.head.ref, 'nocturne/exp/') && github.event.sender.type == 'User')
    permissions:
      actions: write # start the loop again on resume
      contents: write # the ledger, where commands and ideas are written down
      issues: write # react and reply, on issues
      pull-requests: write # and on pull requests
    uses: {name}/.github/workflows/commands.yml@{commit} # {version}
"""
_MORNING = """\
# Written by `nocturne init --github`. Tells in Slack each morning what the night has brought; by hand for any date.
name: Nocturne morning

on:
  schedule:
    - cron: "{minute} 6 * * *" # UTC; late or twice is no harm
  workflow_dispatch:
    inputs:
      date:
        description: The date, such as 2026-11-23; today's without it
        type: string
        default: ""

permissions: {{}}

concurrency: # one summary at a time
  group: nocturne-morning
  cancel-in-progress: false

jobs:
  tell:
    name: Tell
    permissions:
      contents: write # the ledger, where it is written down what was told
    uses: {name}/.github/workflows/morning.yml@{commit} # {version}
    with:
      date: ${{{{ inputs.date }}}}
    secrets:
      SLACK_BOT_TOKEN: ${{{{ secrets.SLACK_BOT_TOKEN }}}}
      SLACK_WEBHOOK_URL: ${{{{ secrets.SLACK_WEBHOOK_URL }}}}
"""


def morning_caller(action: str) -> str:
    """Return the text of the workflow that tells in Slack what a night has brought; see `caller`."""
    name, commit = _pinned(action)
    minute = int(commit[:4], 16) % 60
    return _MORNING.format(name=name, commit=commit, version=f"v{__version__}", minute=minute)


def commands_caller(action: str) -> str:
    """Return the text of the workflow that answers comments; see `caller`."""
    name, commit = _pinned(action)
    return _COMMANDS.format(name=name, commit=commit, version=f"v{__version__}", idea=LABEL_IDEA)


def path_of(chain: int) -> str:
    """Return where the workflow of a chain is; they count from 1, and each keeps one runner busy."""
    return WORKFLOW_PATH if chain == 1 else WORKFLOW_PATH.replace(".yml", f"-{chain}.yml")


def caller(
    *, form: Form, action: str, campaign: str, labels: Sequence[str], config: str, chain: int = 1
) -> str:
    """Return the text of the workflow. `action` is OWNER/NAME@COMMIT, `labels` those of the runner with the GPU.

    Each `chain` of a campaign is a workflow of its own, with a group of its own, so that they run at once. `form` "one"
    does everything in one job on that runner; "three" gives it the training alone, without a token that writes. Raises
    `UserError` for an action that is not pinned.
    """
    name, commit = _pinned(action)
    title = run_title("${{ inputs.campaign || '" + campaign + "' }}")
    minute = (int(commit[:4], 16) + chain - 1) % 60  # not the full hour, when everybody's schedules are late
    another, suffix = ("", "") if chain == 1 else (f" {chain}", f"-{chain}")
    runner = re.sub(r"[^\w.-]+", "-", "-".join(labels))
    head = _HEAD.format(
        config=config, title=title, campaign=campaign, minute=minute, runner=runner, another=another, suffix=suffix,
    )  # fmt: skip
    said = json.dumps(list(labels))
    body = (_ONE if form == "one" else _THREE).format(
        permissions=_PERMISSIONS, labels=said, action=action, name=name, commit=commit, checkout=CHECKOUT,
        campaign=campaign, version=f"v{__version__}",
    )  # fmt: skip
    return head + body


def written_by(text: str) -> str:
    """Return the version that wrote a workflow, as its pin says; "" if it says none."""
    found = re.search(r"uses: (?!actions/)\S+@[0-9a-f]{40} # v([0-9]+(?:\.[0-9]+)*)", text)
    return found[1] if found is not None else ""


def pinned(action: str) -> str:
    """Return `action`; raise `UserError` if it is not OWNER/NAME@COMMIT."""
    _pinned(action)
    return action


def _pinned(action: str) -> tuple[str, str]:
    if not _ACTION.fullmatch(action):
        raise UserError(f"--action {action}: write OWNER/NAME@COMMIT with the 40 digits of a commit")
    name, _, commit = action.partition("@")
    return name, commit
