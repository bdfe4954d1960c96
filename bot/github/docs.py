"""The action's inputs and outputs as a table for the documentation, rendered from action.yml.

python -m bot.github.docs < action.yml
"""

from __future__ import annotations

import sys

import yaml


def table(text: str) -> str:
    """Return the Markdown table of the inputs and outputs that `text`, an action.yml, declares."""
    action = yaml.safe_load(text)
    lines = ["| input | default | what it is |", "| --- | --- | --- |"]
    for name, about in action["inputs"].items():
        default = str(about.get("default", ""))
        lines.append(f"| `{name}` | {f'`{default}`' if default else ''} | {about['description']} |")
    lines += ["", "| output | what it is |", "| --- | --- |"]
    lines += [f"| `{name}` | {about['description']} |" for name, about in action["outputs"].items()]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    print(table(sys.stdin.read()), end="")
