"""Text of others is cleaned once, at the border; what measures, fences and redacts sees nothing else."""

from __future__ import annotations

import random
import re
import unicodedata
from pathlib import Path

import pytest
from markdown_it import MarkdownIt

from bot.agents.claude.transcripts import Transcript
from bot.agents.quoting import quoted
from bot.base.legible import legible
from bot.base.redact import HIDDEN, Redactor
from bot.base.text import clean, disarmed, one_line, web_address
from bot.tell.document import code, paragraphs
from bot.tell.sentences import commit_message
from bot.tell.writers import html, markdown, slack, terminal
from evaluator import log
from tests.bot.campaigns import Night, diff_of
from tests.bot.hostile import ACTED_ON, CORPUS, UNSEEN
from tests.bot.telling import change_text

SECRET = "kT9vQ2mX7pLw4sRz8NbY"
INVISIBLE = (
    "\u200b\u200c\u200d\u2060\ufeff\u00ad\u034f\ufe0f\u202e\u061c\U000e0061\U000e0100\u3164\x00\x08\x1b\x9b"
)
SEPARATORS = "\n\r\u2028\u2029\x0b\x0c\x1c\x1d\x1e\x85"
PIECES = (
    "`", "``", "```", "~~~", "#", "### Verdict: improved", "@octocat", "fixes #1", "![b](https://evil.example/p.png)",
    "<script>", "</details>", "<!channel>", "[x](javascript:a)", "| a | b |", "---", "- x", "::error::x", "word", " ",
    "\x1b[31m", "\x1b]0;title", "\x1b]8;;https://evil.example\x07", "é", "\u0645", "\U0001f469", "$x$", "&lt;",
    SECRET, SECRET[:9], SECRET[9:], "diff --git a/x b/x", "@@ -1 +1 @@", "+", "-", *INVISIBLE, *SEPARATORS,
)  # fmt: skip


def generated(count: int, seed: int) -> list[str]:
    """Return hostile texts: pieces of everything that closes, hides, splits or begins something, at random."""
    chance = random.Random(seed)
    made = ["".join(chance.choices(PIECES, k=chance.randint(1, 40))) for _ in range(count)]
    split = [
        "".join(letter + (chance.choice(INVISIBLE) if chance.random() < 0.4 else "") for letter in SECRET)
        for _ in range(count // 4)
    ]
    return [*made, *split, *CORPUS]


def test_nothing_without_a_shape_is_left_and_two_rooms_clean_alike() -> None:
    everything = [chr(code) for code in range(0x110000)]
    plain = "".join(
        each for each in everything if unicodedata.category(each) not in ("Cc", "Cf", "Cs", "Zl", "Zp")
    )
    assert legible(plain) == log.legible(plain)
    kept = set(legible(plain))
    for character in (each for each in everything if each not in kept):
        if unicodedata.category(character) == "Cs" and ord(character) % 51:  # halves of pairs: 40 of 2048
            continue
        for around in ("a", "\u4e2d"):
            cleaned = legible(f"{around}{character}{around}")
            assert cleaned == log.legible(f"{around}{character}{around}") == legible(cleaned), repr(character)
            assert len(cleaned.splitlines()) == 1 + (character in "\n\r"), repr(character)
            joins = character in "\u200c\u200d" and around == "\u4e2d"
            assert joins or character == "\t" or cleaned[1:-1] in ("", " ", "\n"), repr(character)


def test_any_text_is_cleaned_alike_and_once() -> None:
    for text in generated(2_000, 1):
        cleaned = legible(text)
        assert cleaned == log.legible(text) == clean(cleaned)
        assert (
            not UNSEEN.search(cleaned)
            and cleaned.splitlines() == cleaned.split("\n")[: len(cleaned.splitlines())]
        )


def test_joiners_stay_where_writing_needs_them() -> None:
    family, persian = "\U0001f469\u200d\U0001f467", "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645"
    assert clean(family) == family and clean(persian) == persian
    assert clean("a\u200db `\u200c` \u4e2d\u200d\u200d\u4e2d \u4e2d\u200dx") == "ab `` \u4e2d\u4e2d \u4e2dx"


def test_an_escape_without_an_end_hides_nothing_behind_it() -> None:
    assert clean("a\x1b]0;b\nc") == "a0;b\nc"
    assert clean("a\x1b]0;b\x07c\x1b]8;;x\x1b\\d") == "acd"


def blocks(text: str) -> list[str]:
    return [token.type for token in MarkdownIt("commonmark").enable("table").parse(text)]


@pytest.mark.parametrize("seed", range(2))
def test_no_text_closes_its_fence(seed: int, tmp_path: Path) -> None:
    redact = Redactor({"SLACK_BOT_TOKEN": SECRET})
    for number, text in enumerate(generated(120, seed)):
        for lines in (markdown.code_block(text, "text"), markdown.code_block(text, "diff")):
            assert blocks("\n".join(lines)) == ["fence"], (text, lines)
            assert not any(UNSEEN.search(line) or "\n" in line for line in lines)
        assert len(markdown.code_block(text, "diff")) == 2 + len(text.rstrip("\n").split("\n"))
        path = tmp_path / f"{number}.md"
        Transcript([path], "t", redact).said([{"type": "text", "text": text}])
        written = path.read_text()
        assert blocks(written) == ["heading_open", "inline", "heading_close"] * 2 + ["fence"], text
        assert SECRET not in clean(written)


def test_every_writer_cleans_first() -> None:
    for text in generated(250, 7):
        for said in (
            markdown.escape(text, 400), markdown.line((code(text),)), markdown.title(text, 60), markdown.escape(text),
            slack.escape(text, 80), markdown.write(paragraphs(text)),
            html.escape(text), terminal.escape(text), quoted(text, text[:20]), disarmed(text),
            one_line(text), commit_message(
                experiment=1, campaign="c", hypothesis=text, category=text, reason=text, expected=text, proposer=text
            ),
        ):  # fmt: skip
            assert not UNSEEN.search(said), (text, said)
        title = markdown.title(text, 60)
        assert len(title) <= 60 and not ACTED_ON.search(title), (text, title)
        message = commit_message(
            experiment=1,
            campaign="c",
            hypothesis=text,
            category=text,
            reason=text,
            expected=text,
            proposer=text,
        )
        assert not ACTED_ON.search(message), message
        body = quoted(text, "log").split("\n")
        assert body[0].startswith("<data ") and body[-1] == f"</{body[0][1:22]}>"
        assert sum(line == body[-1] for line in body) == 1


def test_a_redacted_credential_is_not_put_together_again() -> None:
    redact = Redactor({"GITHUB_TOKEN": SECRET, "API_KEY": "line-one-of-it\r\nline-two-of-it"})
    for text in generated(500, 3):
        assert SECRET not in clean(redact(text)) and SECRET not in html.escape(redact(text))
    assert redact(f"a ghp_{'x' * 10}\u200b{'y' * 14} b") == f"a {HIDDEN} b"
    assert redact("line-one-of-it\nline-two-of-it") == f"{HIDDEN}\n"


def test_a_diff_forges_no_line_and_hides_none() -> None:
    separators = "".join(f"{each}### Verdict: improved" for each in "\u2028\u2029\x0b\x0c\x1c\x85\r")
    diff = "diff --git a/train.py b/train.py\n" + diff_of(1, f"x = 1{separators}\x1b]0; evil()")
    night = Night()
    night.baseline()
    night.experiment(1, "improved", "x")
    said = change_text(night.campaign().experiments[1], diff)
    assert "evil()" in said and "\u241b]0;" in said
    assert not re.search(r"(?m)^\W*### Verdict", said)
    assert "### Verdict: improved ### Verdict" in said


@pytest.mark.parametrize(
    "url",
    [
        "javascript:location=name", "data:text/html;base64,PHg+", "file:///etc/passwd", "/etc/passwd",
        "//example.org/x", "www.example.org",
        "ftp://example.org", "https://a b.org", "https://a.org/(x)", "https://", "", None,
    ],
)  # fmt: skip
def test_what_is_no_plain_web_address_is_no_link(url: str | None) -> None:
    assert web_address(url) is None


def test_a_web_address_is_one() -> None:
    for url in ("https://example.org/a?b=c#d", "http://127.0.0.1:80/x"):
        assert web_address(url) == url
