"""
The locked half of the task: data, tokenizer and metric. Nothing here is ever edited by an experiment.

    python prepare.py                  # prepare once (about ten seconds), and say what was done

The text is the Python standard library's own source code, so nothing is downloaded. It is split by file into
`train`, `val` (what the score is measured on) and `vault` (kept for a last word that no experiment ever saw).
What is prepared lies in `$XDG_CACHE_HOME` or `~/.cache`, under `nocturne/stdlib-<python>/`.
"""

import functools
import hashlib
import json
import math
import os
import re
import shutil
import sys
import sysconfig
import tempfile
import time
from array import array
from collections import Counter, defaultdict
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

# ---------------------------------------------------------------------------------------------------------
# Constants (train.py may read these, and may not change them)

MAX_SEQ_LEN = 128  # context length in tokens
TIME_BUDGET = float(
    os.environ.get("NOCTURNE_TIME_BUDGET") or 5
)  # training time; see NOCTURNE_BUDGET in train.py
EVAL_TOKENS = 32768  # target tokens that one evaluation looks at
VOCAB_SIZE = 512  # 256 bytes, 255 merges, and one token that begins a file

DATA_VERSION = 2  # counts up when the splits, the tokenizer or the metric change their meaning
FILES = ("train.bin", "val.bin", "vault.bin", "tokenizer.json")

# Whole files are held out, and only such as neither the interpreter nor a training run with torch imports, so
# that they can be taken away from a training run altogether. One that a Python lacks is simply not there.
VAL_FILES = (
    "asyncio/windows_events.py", "curses/has_key.py", "curses/textpad.py", "fileinput.py", "ftplib.py",
    "shelve.py", "smtplib.py", "wave.py", "wsgiref/handlers.py", "wsgiref/headers.py",
    "wsgiref/simple_server.py", "wsgiref/util.py", "wsgiref/validate.py", "xml/dom/expatbuilder.py",
)  # fmt: skip
VAULT_FILES = (
    "asyncio/windows_utils.py", "ctypes/_aix.py", "ctypes/macholib/dyld.py", "dbm/dumb.py", "filecmp.py",
    "imaplib.py", "modulefinder.py", "multiprocessing/popen_spawn_win32.py", "poplib.py", "pyclbr.py",
    "sched.py", "tabnanny.py", "urllib/robotparser.py", "xml/dom/pulldom.py", "xml/dom/xmlbuilder.py",
    "xml/etree/ElementInclude.py", "xml/sax/_exceptions.py", "xml/sax/expatreader.py",
    "xml/sax/xmlreader.py", "zipapp.py",
)  # fmt: skip

# Not text that anybody wrote to be read, or not in every installation.
SKIPPED_FOLDERS = {
    "__pycache__", "dist-packages", "distutils", "encodings", "ensurepip", "idlelib", "lib2to3", "pydoc_data",
    "site-packages", "test", "tests", "tkinter", "turtledemo",
}  # fmt: skip


def cache_folder() -> Path:
    """Where the prepared data of this Python version lies."""
    base = os.environ.get("XDG_CACHE_HOME") or Path("~/.cache").expanduser()
    return Path(base) / "nocturne" / f"stdlib-{sys.version_info.major}.{sys.version_info.minor}"


# ---------------------------------------------------------------------------------------------------------
# Text: the standard library, split by file


def read_splits() -> dict[str, list[tuple[str, str]]]:
    """Return {"train" | "val" | "vault": [(name, text), ...]}, sorted by name."""
    root = Path(sysconfig.get_paths()["stdlib"])
    splits: dict[str, list[tuple[str, str]]] = {"train": [], "val": [], "vault": []}
    for path in sorted(root.rglob("*.py"), key=lambda path: path.relative_to(root).as_posix()):
        name = path.relative_to(root).as_posix()
        if SKIPPED_FOLDERS & set(name.split("/")) or name.startswith(("_sysconfigdata", "config-")):
            continue
        text = path.read_bytes().decode("utf-8", errors="replace")
        split = "val" if name in VAL_FILES else "vault" if name in VAULT_FILES else "train"
        splits[split].append((name, text))
    if not splits["train"] or not splits["val"]:
        sys.exit(
            f"prepare.py: no Python sources under {root}: install the standard library with its .py files"
        )
    return splits


# ---------------------------------------------------------------------------------------------------------
# Tokenizer: byte pairs inside words (Sennrich et al. 2016, https://arxiv.org/abs/1508.07909)

# A newline with its indentation, a word, a number, a run of signs, or one blank: together they lose nothing.
WORD = re.compile(r"\n[ \t]*| ?[A-Za-z]+| ?\d{1,2}| ?[^\sA-Za-z\d]+|\s")


def train_merges(texts: list[str], count: int) -> list[tuple[int, int]]:
    """Return the `count` most frequent merges, [(left id, right id), ...]; number k makes token 256 + k."""
    words: Counter[str] = Counter()
    for text in texts:
        words.update(WORD.findall(text))
    pieces = [list(word.encode()) for word in words]
    weights = list(words.values())
    pairs: Counter[tuple[int, int]] = Counter()
    where: defaultdict[tuple[int, int], set[int]] = defaultdict(set)
    for index, piece in enumerate(pieces):
        for pair in pairwise(piece):
            pairs[pair] += weights[index]
            where[pair].add(index)
    merges = []
    for token in range(256, 256 + count):
        best = max(pairs, key=lambda pair: (pairs[pair], pair))  # the pair itself breaks ties: deterministic
        merges.append(best)
        for index in where.pop(best):
            old, new = pieces[index], merged(pieces[index], best, token)
            for pair in pairwise(old):
                pairs[pair] -= weights[index]
            for pair in pairwise(new):
                pairs[pair] += weights[index]
                where[pair].add(index)
            pieces[index] = new
        del pairs[best]
    return merges


def merged(piece: list[int], pair: tuple[int, int], token: int) -> list[int]:
    """Return `piece` with each occurrence of `pair` replaced by `token`, from left to right."""
    result: list[int] = []
    index = 0
    while index < len(piece):
        if index + 1 < len(piece) and (piece[index], piece[index + 1]) == pair:
            result.append(token)
            index += 2
        else:
            result.append(piece[index])
            index += 1
    return result


class Tokenizer:
    """Text to token ids and back. The last id begins a file and stands for no bytes."""

    def __init__(self, merges: list[tuple[int, int]]) -> None:
        self.ranks = {tuple(pair): 256 + index for index, pair in enumerate(merges)}
        self.bytes = [bytes([value]) for value in range(256)]
        for left, right in merges:
            self.bytes.append(self.bytes[left] + self.bytes[right])
        self.encode_word = functools.lru_cache(maxsize=None)(self._encode_word)

    @classmethod
    def from_directory(cls, directory: str | None = None) -> "Tokenizer":
        folder = Path(directory) if directory else ready("train.bin", "tokenizer.json")
        return cls(json.loads((folder / "tokenizer.json").read_text())["merges"])

    def get_vocab_size(self) -> int:
        return len(self.bytes) + 1

    def get_bos_token_id(self) -> int:
        return len(self.bytes)

    def encode(self, text: str, prepend: int | None = None) -> list[int]:
        ids = [] if prepend is None else [prepend]
        for word in WORD.findall(text):
            ids.extend(self.encode_word(word))
        return ids

    def decode(self, ids: list[int]) -> str:
        return b"".join(self.bytes[i] for i in ids if i < len(self.bytes)).decode("utf-8", errors="replace")

    def _encode_word(self, word: str) -> tuple[int, ...]:
        piece = list(word.encode())
        while len(piece) > 1:
            token, pair = min((self.ranks.get(pair, 1 << 30), pair) for pair in pairwise(piece))
            if token == 1 << 30:
                break
            piece = merged(piece, pair, token)
        return tuple(piece)


# ---------------------------------------------------------------------------------------------------------
# The cache: built in a temporary folder and renamed, so that two at once and one that is killed do no harm


def ready(*names: str) -> Path:
    """Return the cache folder after making sure that `names` in it are whole; build it where they are not."""
    folder = cache_folder()
    if not is_whole(folder, names):
        build(folder)
    return folder


def is_whole(folder: Path, names: tuple[str, ...]) -> bool:
    try:
        sums = read_meta(folder)["sha256"]
        return all(hashlib.sha256((folder / name).read_bytes()).hexdigest() == sums[name] for name in names)
    except (OSError, ValueError, KeyError, TypeError):
        return False


def read_meta(folder: Path) -> dict[str, Any]:
    meta: dict[str, Any] = json.loads((folder / "meta.json").read_text())
    if meta["version"] != DATA_VERSION:
        raise ValueError("prepared by another version of prepare.py")
    return meta


def build(folder: Path) -> None:
    """Prepare everything into `folder`; one that is there and damaged is replaced."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        splits = read_splits()
        merges = train_merges([text for _, text in splits["train"]], VOCAB_SIZE - 257)
        tokenizer = Tokenizer(merges)
        (scratch / "tokenizer.json").write_text(json.dumps({"merges": merges}))
        for split, files in splits.items():
            write_tokens(scratch / f"{split}.bin", tokenizer, files)
        meta = {
            "version": DATA_VERSION,
            "files": {split: [name for name, _ in files] for split, files in splits.items()},
            "bytes": {split: sum(len(text.encode()) for _, text in files) for split, files in splits.items()},
            "sha256": {name: hashlib.sha256((scratch / name).read_bytes()).hexdigest() for name in FILES},
        }
        (scratch / "meta.json").write_text(json.dumps(meta, indent=1))
        move_into_place(scratch, folder)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def write_tokens(path: Path, tokenizer: Tokenizer, files: list[tuple[str, str]]) -> None:
    """Write the files one after the other, each begun by its own token, as little-endian uint16."""
    tokens = array("H")
    for _, text in files:
        tokens.extend(tokenizer.encode(text, prepend=tokenizer.get_bos_token_id()))
    if sys.byteorder == "big":
        tokens.byteswap()
    path.write_bytes(tokens.tobytes())


def move_into_place(scratch: Path, folder: Path) -> None:
    for _ in range(3):
        try:
            scratch.rename(folder)
            return
        except OSError:  # something is there: another process was faster, or what was there is damaged
            if is_whole(folder, FILES):
                return
            damaged = Path(tempfile.mkdtemp(prefix=".damaged-", dir=folder.parent))
            try:
                folder.rename(damaged)
            except FileNotFoundError:
                continue  # another process is mending it at the same time
            finally:
                shutil.rmtree(damaged, ignore_errors=True)
    sys.exit(f"prepare.py: can't put the prepared data at {folder}: remove that folder and try again")


def held_out_texts() -> tuple[list[str], list[str]]:
    """Return the text that no training process may read (val and vault), and the text that it may."""
    folder = ready("val.bin", "vault.bin", "train.bin", "tokenizer.json")
    tokenizer = Tokenizer.from_directory(str(folder))
    texts = {}
    for split in ("val", "vault", "train"):
        ids = array("H", (folder / f"{split}.bin").read_bytes())
        if sys.byteorder == "big":
            ids.byteswap()
        texts[split] = tokenizer.decode(ids.tolist())
    return [texts["val"], texts["vault"]], [texts["train"]]


def fingerprint() -> str:
    """Return a hash of everything that a score depends on: text, splits, tokenizer and metric."""
    sums = read_meta(ready("tokenizer.json"))["sha256"]
    what = [DATA_VERSION, MAX_SEQ_LEN, EVAL_TOKENS, VOCAB_SIZE, sorted(sums.items())]
    return hashlib.sha256(json.dumps(what).encode()).hexdigest()


# ---------------------------------------------------------------------------------------------------------
# What train.py uses


def pick_device() -> Any:
    import torch

    if torch.cuda.is_available():
        return torch.device("cuda")
    return torch.device("mps" if torch.backends.mps.is_available() else "cpu")


def load_tokens(split: str) -> Any:
    """Return a split as a memory-mapped int16 tensor; ids stay far below 32768, so the sign never matters."""
    import torch

    path = ready(f"{split}.bin", "tokenizer.json") / f"{split}.bin"
    return torch.from_file(str(path), shared=False, size=path.stat().st_size // 2, dtype=torch.int16)


def make_dataloader(tokenizer: Tokenizer, B: int, T: int, split: str) -> Iterator[tuple[Any, Any, int]]:
    """Yield (inputs, targets, epoch) for ever: two LongTensors (B, T) on the device, targets one token later.

    "train" draws windows at random, in an order that NOCTURNE_SEED decides; "val" goes through fixed rows
    that are spread evenly over the split, then through those that follow each of them, as far as there is text between.
    """
    import torch

    assert split in ("train", "val"), split
    tokens, device = load_tokens(split), pick_device()
    last = len(tokens) - T - 1
    window = torch.arange(T + 1)
    generator = torch.Generator().manual_seed(int(os.environ.get("NOCTURNE_SEED") or 0))
    rows = max(EVAL_TOKENS // T, 1)
    served = 0
    while True:
        if split == "train":
            starts = torch.randint(0, last + 1, (B,), generator=generator)
            epoch = 1 + served * T // len(tokens)
        else:
            number = torch.arange(served, served + B)
            following = number // rows % max(last // rows // T, 1)  # how many rows further on
            starts = (number % rows) * last // rows + following * T
            epoch = 1 + served // rows
        block = tokens[starts[:, None] + window].long()  # (B, T + 1)
        served += B
        yield block[:, :-1].to(device), block[:, 1:].to(device), epoch


def get_token_bytes(device: Any = "cpu") -> Any:
    """Return how many bytes each token stands for, (vocabulary,); none for the token that begins a file."""
    import torch

    return torch.tensor(
        [len(b) for b in Tokenizer.from_directory().bytes] + [0], dtype=torch.int32, device=device
    )


def evaluate_bpb(model: Any, tokenizer: Tokenizer, batch_size: int) -> float:
    """Return the bits that `model` needs for one byte of the validation split: lower is better.

    Called when train.py runs by itself; in an experiment the evaluator computes the same from the logits.
    """
    import torch

    loader = make_dataloader(tokenizer, batch_size, MAX_SEQ_LEN, "val")
    token_bytes = get_token_bytes(pick_device())
    nats, count = 0.0, 0
    with torch.no_grad():
        for _ in range(EVAL_TOKENS // (batch_size * MAX_SEQ_LEN)):
            x, y, _ = next(loader)
            lengths = token_bytes[y.reshape(-1)]
            losses = model(x, y, reduction="none").view(-1)
            nats += losses[lengths > 0].sum().item()
            count += lengths.sum().item()
    return float(nats / (math.log(2) * count))


if __name__ == "__main__":
    began = time.time()
    there = ready(*FILES)
    told = read_meta(there)
    for split_name, names in told["files"].items():
        size, count = told["bytes"][split_name], (there / f"{split_name}.bin").stat().st_size // 2
        print(f"{split_name + ':':<7}{len(names):4d} files {size:10,d} bytes {count:10,d} tokens")
    print(f"vocabulary: {VOCAB_SIZE} tokens, context: {MAX_SEQ_LEN} tokens")
    print(f"cache: {there} (ready after {time.time() - began:.1f}s)")
    print(f"fingerprint: {fingerprint()}")
