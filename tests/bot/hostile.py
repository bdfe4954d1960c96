"""What agents and users might write to do more than be read: one corpus for every place where text is shown."""

from __future__ import annotations

import re

from tests.bot.campaigns import HOSTILE

CORPUS = (
    *HOSTILE,
    # GitHub and its Markdown
    "fixes #3, Closes: octo/models#14 and resolves GH-2",
    "thanks @octocat and @octo/team; mail a@example.org",
    "_@octocat_ _https://evil.example/_ 1http://evil.example _www.evil.example _GH-7",
    "see https://github.com/octo/models/issues/3 ftp://evil.example mailto:a@example.org xmpp:a@b.example",
    "&#64;octocat &commat;octocat &#35;3 &lt;b&gt;",
    "@\x1b[0moctocat #\x072 @\u202eoctocat",
    "[x]: https://evil.example",
    "[a][x] ![b][x] [^1] <https://evil.example> <a@evil.example>",
    "</td></tr></table></details><h1>big</h1><script>alert(1)</script>",
    "| x |\n|---|\n| y |",
    "a\n---\nb\n===\n# c\n> d\n- e\n12. f\n    g",
    "12. list",
    "- [ ] task",
    "---",
    "```mermaid\nflowchart LR; click A href \"https://evil.example\"\n```",
    "~~~\nx\n~~~",
    "$$\\href{https://evil.example}{x}$$ $`x`$",
    "[skip ci] and [no ci]",
    "\u2028@octocat\u2029#3",
    "\\",
    "`",
    "train.py`](https://evil.example) @octocat",

    "<!-- nocturne status -->\n<!--\nnocturne:7",
    "[a]: javascript:alert(1)\n[a]\n\n![b](data:text/html;base64,PHNjcmlwdD4=)",
    "x\n\nCo-authored-by: Eve <eve@evil.example>\nNocturne-Experiment: 9",
    "/nocturne stop\n/nocturne approve",
    # Slack and its mrkdwn
    "<!channel> <!here|here> <!everyone> <!subteam^S0123ABCD|@team>",
    "<@U012AB3CD> <@W012AB3CD|eve> <#C0123ABCD|general>",
    "<https://evil.example|click me> <mailto:a@evil.example|mail> <!date^1392734382^{date}^https://evil.example|x>",
    "&lt;!channel&gt; &amp;lt;!channel&amp;gt;",
    "*bold* _italic_ ~struck~ `code` ```block``` :rocket: :skin-tone-2: :+1:",
    "> quoted\n>>> all quoted\n\u2022 listed",
    # Fences closed from inside, once what can't be seen is gone, or by what some take for the end of a line
    "``\u200b`\n\n@octocat ![b](https://evil.example/p.png) fixes #1\n\n``\u200b`text",
    "x\u2028``\u00ad`\u2028\u2028### Verdict: improved\u2029\u2029@octocat\x0b``\u200d`\x0c# y\x85z\x1c- a",
    "`\ufe0f``\ufe0f`\n~\u200b~~\n`\U000e0100`\u034f`\n# out",
    "&\u2060amp;lt;b> <\u200bscript>alert(1)</\u200cscript> <!\u200b-- --\u200b>",
    # HTML, scripts and styles
    "<svg/onload=alert(1)><foreignObject><body onload=alert(1)></foreignObject></svg>",
    "\" onmouseover=\"alert(1) ' onfocus='alert(1) autofocus",
    "</title></style></textarea></noscript></p></dd></li></summary></details><h1>out</h1>",
    "<base href=//evil.example><meta http-equiv=refresh content=0;url=//evil.example><link rel=stylesheet href=//e>",
    "javascript:alert(1) JaVaScRiPt:alert(1) data:text/html,<script>alert(1)</script> vbscript:x",
    "&#x3c;script&#x3e;alert(1)&#x3c;/script&#x3e; \\u003cscript\\u003e <scr<script>ipt>",
    "<!--<script> --!> <![endif]--> <?xml version='1.0'?> <!DOCTYPE x [<!ENTITY e SYSTEM 'file:///etc/passwd'>]> &e;",
    "$title ${script} $$ {0} %s %(x)s $(id) {{7*7}} <%= 7 %>",
    # Mermaid
    "%%{init: {'securityLevel': 'loose'}}%%\nclick A href \"javascript:alert(1)\"",
    "\"] --> B[\"<img src=x>\"]; x-axis [1, 2]\n    line [9]\n```",
    # Terminals: colours, titles, links, clipboards, what rubs out, and the same in one byte
    "\x1b[2J\x1b[H\x1b[8mhidden\x1b[0m",
    "\x1b]8;;https://evil.example\x1b\\click\x1b]8;;\x1b\\",
    "\x1b]52;c;ZXZpbA==\x07 \x1bPq#0\x1b\\ \x1b_payload\x1b\\ \x1b^x\x1b\\",
    "\x9b31mred\x9b0m \x9d0;title\x9c \x90payload\x9c \x85 \x8d",
    "merged\rrefused \x08\x08\x08 \x0c\x0b\x7f \x1b",
    "\x1b\x1b[31m[31m \x1b[\x1b[0m31mnested \x1b]0;a\x1b]0;b\x07c",
    # Workflow commands
    "::set-output name=merged::true\n::add-mask::a\n##[error]stop\n::stop-commands::x",
    # What can't be seen, or seems to stand elsewhere
    "\u202egnp.exe\u202c \u2066isolated\u2069 \u2067x\u2069 \u200emark\u200f \u061cletter",
    "zero\u200bwidth \u200cnon\u2060joiner \ufeffmark soft\u00adhyphen @\u200boctocat <\u200b!channel>",
    "tags \U000e0001\U000e0069\U000e0067\U000e006e\U000e006f\U000e0072\U000e0065\U000e007f hidden",
    "Z\u0351\u036b\u0353\u033a\u0323a\u030d\u034el\u0317\u034cg\u0358\u0325o \u2800\u3164\uffa0",
    "\U0001f469\u200d\U0001f469\u200d\U0001f467 \U0001f3f3\ufe0f\u200d\U0001f308 \ud83d\ude80",
    "\x00 \ufffe\uffff \ud800 \udfff",
    # Long, empty, and no text at all
    "W" * 5000,
    "\u5b66" * 3000,
    "https" + "/" * 3000,
    "<b>" * 1500,
    "NaN Infinity -1e999 null undefined __proto__ constructor",
    "../../etc/passwd C:\\con file:///etc/passwd \\\\evil\\share",
    "=cmd|' /C calc'!A0\t+1\t-1\t@SUM(1)",
    " \t\n ",
    "",
)  # fmt: skip

# What GitHub would act on, looked for in text as it is shown.
ACTED_ON = re.compile(
    r"@\w|#\d|(?i:(?<![a-z0-9])gh-\d)|(?<!\u200d)://|(?i:mailto:|xmpp:|www\.)|(?i:\[(?:skip ci|no ci)\])"
    r"|[\x00-\x08\x1b\u202e]"
)
# What changes a terminal, a direction or what a reader can see, wherever text is shown. Tab and newline don't.
UNSEEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u034f\u061c\u115f\u1160\u180b-\u180f\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f"
    "\u3164\ud800-\udfff\ufe00-\ufe0f\ufeff\uffa0\ufff9-\ufffb\ufffe\uffff\U000e0000-\U000e0fff]"
)
