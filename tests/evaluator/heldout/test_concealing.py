"""Python files that share a window by chance, and what is put in their place."""

from __future__ import annotations

import os
import py_compile
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from evaluator.heldout.concealing import conceal, rewritten
from evaluator.heldout.search import search
from evaluator.heldout.windows import WINDOW, WindowIndex, build

IDIOM = (
    "            except (KeyError, IndexError):\n"
    "                continue\n"
    "            else:\n"
    "                break\n"
)
HEAD = '# -*- coding: utf-8 -*-\n"""A module – with a dash."""\n\n\n'
MODULE = (
    f"{HEAD}def work(items):\n    for item in items:\n        for key in item:\n            try:\n"
    f"                found = key[0]\n{IDIOM}"
    '    """Not a docstring,\n\n    but a string of two paragraphs."""\n    return found\n'
)


def index_of(text: str, length: int = WINDOW + 10) -> WindowIndex:
    """An index of a part of `text`, of which all windows are held out."""
    return build([text.encode()[:length]], [])


def test_a_chance_window_goes_and_size_and_program_stay() -> None:
    source, index = MODULE.encode(), index_of(IDIOM)
    assert index.holds(source)
    changed = rewritten(source, index)
    assert changed is not None and not index.holds(changed)
    assert len(changed) == len(source) and changed != source
    assert compile(changed, "m", "exec") == compile(source, "m", "exec")
    assert changed.splitlines() == source.splitlines()
    names: dict[str, object] = {}
    exec(compile(changed, "m", "exec"), names)
    assert names["work"]([["ab", "cd"]]) == "a"  # type: ignore[operator]


@pytest.mark.parametrize(
    ("part", "mendable"),
    [
        (IDIOM, True),
        ("values = some_function_name(first_argument, second_argument, third_argument_of_it)", True),
        ("# a comment of one line that says quite something about what is to come, and no more", True),
        ('    """Not a docstring,\n\n    but a string of two paragraphs."""\n    return found\n', True),
        (
            "text = 'one long string in one line, with blanks in it but without any end of a line in it'",
            False,
        ),
        (
            "name_of_something_that_is_very_long_indeed_and_has_no_blank_in_it_at_all_whatever_it_means = 1",
            False,
        ),
    ],
)
def test_what_can_be_mended(part: str, mendable: bool) -> None:
    program = (
        HEAD + "def f(some_function_name, first_argument, second_argument, third_argument_of_it, items):\n"
    )
    if part is IDIOM:
        program = MODULE
    elif "paragraphs" in part:
        program = f"{HEAD}def f(found):\n{part}"
    else:
        program += f"    {part}\n    return 0\n"
    index = index_of(part, WINDOW)
    assert index.holds(program.encode())
    changed = rewritten(program.encode(), index)
    assert (changed is not None) == mendable
    if changed is not None:
        assert not index.holds(changed) and compile(changed, "m", "exec") == compile(program, "m", "exec")


def test_a_copy_is_not_mended_nor_what_is_no_python_nor_the_line_of_the_encoding() -> None:
    assert rewritten(MODULE.encode(), index_of(MODULE, 2 * WINDOW)) is None
    assert rewritten(MODULE.encode() + b"print 'two'\n", index_of(IDIOM)) is None
    head = "# -*- coding: utf-8 -*- and more in the same line, which Python looks at\nx = 1\n"
    assert rewritten(head.encode(), index_of(head, WINDOW)) is None


def test_every_file_of_a_windows_checkout_keeps_its_lines() -> None:
    source = MODULE.replace("\n", "\r\n").encode()
    index = build([IDIOM.replace("\n", "\r\n").encode()[: WINDOW + 5]], [])
    changed = rewritten(source, index)
    assert changed is None or compile(changed, "m", "exec") == compile(source, "m", "exec")


def test_hidden_and_replaced_files_together_leave_no_window(tmp_path: Path) -> None:
    root, folder = tmp_path / "root", tmp_path / "copies"
    root.mkdir()
    copied = "x = 1\n" + "".join(f"value_{number} = compute({number} * {number})\n" for number in range(40))
    docstring = "Says in its docstring\n    what is held out as well, and so does its byte code, of course."
    index = build([(IDIOM)[: WINDOW + 10].encode(), copied.encode(), docstring[:70].encode()], [])
    files = {
        "chance.py": MODULE,
        "copy.py": copied,
        "documented.py": f'{HEAD}def f():\n    """{docstring}"""\n',
        "copy.txt": copied,
        "innocent.py": "x = 2\n",
    }
    for name, text in files.items():
        (root / name).write_text(text)
    codes = {
        name: Path(py_compile.compile(str(root / name), doraise=True) or "")
        for name in files
        if ".py" in name
    }
    concealed = conceal(search([root], index), index, folder)
    assert set(concealed.replaced) == {root / "chance.py", root / "documented.py"}
    assert set(concealed.hidden) == {
        *(root / "copy.py", root / "copy.txt"),
        *(codes["copy.py"], codes["documented.py"]),
    }
    for path in concealed.hidden:
        path.write_bytes(b"")
    for path, copy in concealed.replaced.items():
        assert (
            copy.stat().st_mtime_ns == path.stat().st_mtime_ns and copy.stat().st_size == path.stat().st_size
        )
        shutil.copy2(copy, path)
    assert search([root], index) == ()
    done = subprocess.run(
        [sys.executable, "-v", "-B", "-c", "import chance, documented; print(documented.f.__doc__)"],
        cwd=root,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert done.stdout.strip() == docstring
    assert f"{codes['chance.py'].name} matches" in done.stderr


def test_copies_are_kept_and_damaged_ones_made_again(tmp_path: Path) -> None:
    root, folder = tmp_path / "root", tmp_path / "copies"
    root.mkdir()
    (root / "chance.py").write_text(MODULE)
    (root / "copy.py").write_text(IDIOM * 3)
    (root / "copy.py").chmod(0o640)
    small = index_of(IDIOM)
    first = conceal([root / "chance.py", root / "copy.py"], small, folder)
    copy = first.replaced[root / "chance.py"]
    whole, made = copy.read_bytes(), copy.stat().st_ino
    files = sorted(folder.iterdir())
    assert len(files) == 2
    assert conceal([root / "chance.py", root / "copy.py"], small, folder) == first
    assert sorted(folder.iterdir()) == files and copy.stat().st_ino == made
    times = copy.stat().st_mtime_ns
    for harm in (MODULE.encode(), whole[:-5], whole.replace(b"found", b"bound")):
        copy.chmod(0o600)
        copy.write_bytes(harm)
        os.utime(copy, ns=(times, times))
        assert conceal([root / "chance.py", root / "copy.py"], small, folder) == first
        assert copy.read_bytes() == whole
    everything = index_of(MODULE, len(MODULE))
    assert conceal([root / "chance.py"], everything, folder).hidden == (root / "chance.py",)
    (root / "chance.py").write_text(MODULE + "# longer\n")
    later = conceal([root / "chance.py"], small, folder).replaced[root / "chance.py"]
    assert later.read_bytes().endswith(b"# longer\n")
