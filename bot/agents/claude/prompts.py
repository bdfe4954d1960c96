"""What the maker and the checker are told, in the order that a prompt cache likes: what changes least comes first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from bot.agents.memory import Memory
from bot.agents.quoting import RULE, quoted
from bot.agents.skills import Skill

Block = dict[str, Any]

MAKER = f"""\
You propose experiments for an automated research loop. Each experiment is one change to the editable files; it \
is trained and scored by a locked evaluator that the change can't talk to, compared with the incumbent over \
several seeds, and merged if it is better beyond the noise. You make one proposal, then your part is over.

What makes a good proposal:
- One idea, small enough that its result teaches something whichever way it goes. Several changes at once only \
if they need one another.
- Grounded in what was measured here: follow what paid, build on near misses, leave dead ends alone. Early on \
look around widely; later dig where it paid. After many failures in one direction do something quite different.
- Runs within the same time and memory. A crash costs as much as a run and teaches little.
- Simple. A gain that is paid with much more code is a small gain; removing code at an equal score is one too.
- Honest. The evaluator, the data, the seeds and the time measured are out of reach on purpose. A change that \
could only look better (another seed, a shorter check, reading validation data, printing a score) is refused.

How to work: what you need most stands below. Look things up by the tools if that may change your mind: an \
earlier experiment before you build on it or try something like it, a file before you rely on it. Check a draft \
that is longer than a few lines. Hand in by the tool `propose`; plain text reaches nobody. What is handed in \
and does not apply or parse, breaks a rule, or was tried before comes back with the reason, a few times at most.

{RULE}"""

CHECKER = f"""\
You review one proposed change for an automated research loop, before any machine time is spent on it. You see \
the change, the rules, and what was tried before; you don't see who made it, why, or what it may win, and you \
don't guess whether it will improve the score: measuring does that. You judge:
- Does it do what its hypothesis says, all of it and nothing else? A change hidden behind another is a reason to \
reject.
- Was it tried before, as it is or in other words? The most alike ones stand beside it; look others up if the \
digest suggests it. Name the number. If it says what has changed since, it may be tried again.
- Does it touch the measurement: seeds, evaluation, data that decides the score, timing, what is printed or \
saved for the scorer? Reject.
- Is it needlessly complex for what it does?
- Will it crash: names, shapes, devices, types, memory far beyond before, divisions that don't come out even?

Approve what is sound, even if you would have done something else: a failed experiment teaches too. Ask for a \
revision if a small, clear fix makes a flawed change sound. Reject what is dishonest, was tried, or can't be \
fixed by a small change. Answer by the tool `review`; plain text reaches nobody. Remarks name lines of the new \
file and say what is wrong there; none if nothing is.

{RULE}"""


def lasting(block: Block) -> Block:
    """Return `block` as the end of a prefix that is worth keeping for an hour: longer than an experiment."""
    return block | {"cache_control": {"type": "ephemeral", "ttl": "1h"}}


def text_block(text: str) -> Block:
    return {"type": "text", "text": text}


def system_blocks(
    instructions: str, program: str, skills: Sequence[Skill], others: Sequence[Skill], chapter: str
) -> list[Block]:
    """Return the part that stays: instructions, the program, the skills that apply, and the past as a chapter.

    `others` are skills that are named only; a tool reads them.
    """
    parts = [f"# The program\n\nWhat the human wants explored, and the constraints.\n\n{program.strip()}"]
    parts += [f"# Project knowledge: {skill.title}\n\n{skill.text}" for skill in skills]
    if others:
        lines = "\n".join(f"- {s.name} ({', '.join(s.categories)}): {s.title}" for s in others)
        parts.append(f"# More project knowledge, by the tool read_skill\n\n{lines}")
    blocks = [text_block(instructions), text_block("\n\n".join(parts))]
    if chapter:
        blocks.append(text_block(f"# The past\n\n{chapter}"))
    return [*blocks[:-1], lasting(blocks[-1])]


def opening_blocks(files: Mapping[str, str], memory: Memory) -> list[Block]:
    """Return what changes with the incumbent, then what grows with each experiment."""
    shown = "\n\n".join(
        quoted(files[path], f"{path} of the incumbent", len(files[path]) + 1) for path in sorted(files)
    )
    blocks = [lasting(text_block(f"# The incumbent's editable files\n\n{shown}"))]
    if memory.recent:
        blocks.append(text_block("# Experiments that ended since"))
        blocks += [text_block(line) for line in memory.recent]
        blocks[-1] = lasting(blocks[-1])
    return blocks
