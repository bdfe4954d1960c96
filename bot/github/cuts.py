"""The secret of the cuts in a job on GitHub: it comes as an Actions secret, and what runs lost travels in artifacts.

A job has no memory but its artifacts, which everybody reads who may read the repository. So the losses are sealed
with a key that is made from the secret, and each job leaves all that later ones may want to compare with, newest last:
one artifact is enough, and none grows old in a campaign that goes on.
"""

from __future__ import annotations

import hashlib
import io
import os
import re
import shutil
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from bot.base.whole import written
from bot.errors import UserError
from bot.forge.github import GitHubForge
from bot.forge.github_artifacts import left_files
from bot.github.chain import this_link
from bot.loop.context import Context
from bot.loop.cuts import Cuts, NoCuts

SECRET = "NOCTURNE_CUTS_KEY"
SET_IT = f"nocturne cuts-key | gh secret set {SECRET}"
FILE = "nocturne-cuts"  # as the workflow's step has it that uploads it
MOST = (
    24  # runs: twice eight to compare with (`bot.loop.settings`), and the new ones; 40 KB each at 10,000 cuts
)
LARGEST = 16 << 20  # bytes that a job leaves
_VERSION, _LOSSES = "version-1", ".npz"
KEY_BYTES = 32
_SECRET = re.compile(rf"[0-9a-f]{{{2 * KEY_BYTES}}}")


def cuts_of_job(context: Context, environ: Mapping[str, str]) -> Cuts:
    """Return the cuts of the job that runs us. Raises `UserError` for a secret of another form."""
    note, forge = context.display.note, context.forge
    if not isinstance(forge, GitHubForge):
        return (
            context.runs.cuts
        )  # all that is known of the campaign lives in this clone, and so may the secret
    text = environ.get(SECRET, "").strip()
    if not text:
        return NoCuts(
            f"cuts: none, for this job gets no secret {SECRET}: `{SET_IT}` makes one, and a workflow that"
            " `nocturne init --github` writes anew passes it on",
            note,
        )
    if not _SECRET.fullmatch(text):
        raise UserError(f"{SECRET}: not 64 hexadecimal digits: `{SET_IT}` puts a new one there")
    if not environ.get("RUNNER_TEMP"):
        return NoCuts("cuts: none, for RUNNER_TEMP names no folder to leave losses in", note)
    name = artifact_name(environ)

    def earlier() -> Iterator[bytes]:
        workflow = f".github/workflows/{this_link(environ, context.name).workflow}"
        return left_files(forge.client, name, FILE, workflow, largest=LARGEST + (1 << 20))

    path = Path(environ["RUNNER_TEMP"], FILE)
    return SealedCuts(bytes.fromhex(text), context.name, path, earlier, note)


def artifact_name(environ: Mapping[str, str]) -> str:
    """Return what the job's artifact with the losses is called; the workflow's step says the same."""
    return f"cuts-{environ.get('NOCTURNE_CAMPAIGN') or 'default'}"


class SealedCuts:
    """Cuts that a `secret` of 32 bytes decides, each campaign's own, with the losses of runs of several machines.

    Those that `earlier` jobs have left are fetched with the first run; all that is known is left at `path` after each
    run. What is missing, or sealed with another secret, is said by `note` and refuses nothing.
    """

    def __init__(
        self,
        secret: bytes,
        campaign: str,
        path: Path,
        earlier: Callable[[], Iterable[bytes]],
        note: Callable[[str], object],
    ) -> None:
        self._key = _derived(secret, campaign, b"nocturne drawing")
        self._sealing = _derived(secret, campaign, b"nocturne sealing")
        self._path, self._earlier, self._note = path, earlier, note
        self._held: dict[str, bytes] = {}  # files of losses, used last at the end
        self._looked = False

    def are_asked(self) -> bool:
        """See `Cuts`."""
        return True

    @contextmanager
    def folder(self, run: str, others: Sequence[str], scratch: Path) -> Iterator[Path]:
        """See `Cuts`. The key lies there only as long as the run lasts."""
        if not self._looked:
            self._looked = True
            self._pick_up(others)
        place = scratch / "cuts"
        try:
            self._unfold(place, others)
            yield place
            mine = place / "losses" / f"{run}.npz"
            if mine.is_file():
                self._held[run] = mine.read_bytes()
                self._leave()
        except OSError as error:
            raise UserError(
                f"{error.filename or place}: can't be written ({error.strerror}): free space"
            ) from None
        finally:
            shutil.rmtree(place, ignore_errors=True)

    def _pick_up(self, others: Sequence[str]) -> None:
        """Take in what earlier jobs have left, the newest first, until it is all that is asked for."""
        sealed_otherwise = False
        try:
            for content in self._earlier():
                found = self._opened(content)
                if found is None:
                    sealed_otherwise = True
                    continue
                self._held = {**found, **self._held}
                if all(name in self._held for name in others):
                    break
        except UserError as error:
            self._note(f"cuts: what earlier jobs have left can't be fetched: {error}")
        if others and not any(name in self._held for name in others):
            why = (
                f"what earlier jobs have left is sealed with another {SECRET}"
                if sealed_otherwise
                else "no artifact with the losses of earlier runs is left (GitHub keeps artifacts for 90 days)"
            )
            self._note(f"cuts: {why}")

    def _unfold(self, place: Path, others: Sequence[str]) -> None:
        shutil.rmtree(place, ignore_errors=True)
        (place / "losses").mkdir(parents=True)
        place.chmod(0o700)
        _write(place / "key", self._key)
        for name in others:
            if name in self._held:
                self._held[name] = self._held.pop(name)  # what is in use is kept
                _write(place / "losses" / f"{name}.npz", self._held[name])

    def _leave(self) -> None:
        """Write what is known for later jobs, as much as they may fetch."""
        for name in list(self._held)[:-MOST]:
            del self._held[name]
        sealed = self._sealed()
        while len(sealed) > LARGEST and len(self._held) > 1:
            del self._held[next(iter(self._held))]
            sealed = self._sealed()
        with written(self._path) as file:
            file.write(sealed)

    def _sealed(self) -> bytes:
        from nacl.secret import SecretBox  # only jobs on GitHub need it

        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w") as archive:
            archive.writestr(_VERSION, b"")
            for name, content in self._held.items():
                archive.writestr(f"{name}{_LOSSES}", content)
        return bytes(SecretBox(self._sealing).encrypt(packed.getvalue()))

    def _opened(self, sealed: bytes) -> dict[str, bytes] | None:
        """Return the losses that somebody with the same secret has sealed, None if it was another one."""
        from nacl.exceptions import CryptoError
        from nacl.secret import SecretBox

        try:
            packed = SecretBox(self._sealing).decrypt(sealed)
        except (CryptoError, ValueError):
            return None
        with zipfile.ZipFile(io.BytesIO(packed)) as archive:
            names = archive.namelist() if _VERSION in archive.namelist() else []
            losses = [name for name in names if name.endswith(_LOSSES)]
            return {name.removesuffix(_LOSSES): archive.read(name) for name in losses}


def _derived(secret: bytes, campaign: str, use: bytes) -> bytes:
    """Return a key of 32 bytes for one use in one campaign (RFC 7693, with a key and a personalization)."""
    return hashlib.blake2b(campaign.encode(), key=secret, person=use, digest_size=32).digest()


def _write(path: Path, content: bytes) -> None:
    """Write a new file that nobody else may read."""
    with os.fdopen(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "wb") as file:
        file.write(content)
