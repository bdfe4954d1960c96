"""Runs inside a jail, tries to get out of it, and prints what came of each attempt as JSON.

`python probe.py ORDER`; every attempt is a function, its result what it returned or the name of its error.
"""

from __future__ import annotations

import ctypes
import errno
import json
import os
import pwd
import resource
import signal
import socket
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

ORDER = json.loads(sys.argv[1])
TREE, SCRATCH = Path(ORDER["tree"]), Path(ORDER["scratch"])
SECRETS = (ORDER["secret_file"], ORDER["shared_memory"])
LIBC = ctypes.CDLL(None, use_errno=True)
FACTS: dict[str, object] = {}


def attempt(name: str, what: Callable[..., object], *arguments: Any) -> None:
    try:
        FACTS[name] = what(*arguments)
    except OSError as error:
        FACTS[name] = errno.errorcode.get(error.errno or 0, type(error).__name__)


def connect(family: int, address: tuple[str, int] | str) -> str:
    with socket.socket(family) as out:
        out.settimeout(5)
        out.connect(address)
    return "connected"


def resolve() -> object:
    try:
        return socket.getaddrinfo("example.org", 80)
    except socket.gaierror:
        return "no name service"


def send_far() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as out:
        return out.sendto(b"x", ("192.0.2.1", 53))


def call(number: int, *arguments: int) -> int:
    ctypes.set_errno(0)
    done: int = LIBC.syscall(number, *(ctypes.c_long(each) for each in arguments))
    if done < 0:
        raise OSError(ctypes.get_errno(), "")
    return done


def read(path: str | Path) -> str:
    return Path(path).read_bytes().decode(errors="replace")


def touch(folder: str | Path) -> str:
    Path(folder, f"planted{os.getuid()}").write_text("x")
    return "written"


def flood(folder: str | Path) -> int:
    """Write until the folder is full; return how many bytes went in."""
    written = 0
    path = Path(folder, "flood")
    try:
        with path.open("wb", buffering=0) as file:
            while True:
                written += file.write(bytes(1 << 16))
                if written > 1 << 26:
                    return written
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
    finally:
        path.unlink()
    return written


def writable_in_proc() -> list[str]:
    """Files of /proc that could be opened for writing, our own processes' among them."""
    return [
        str(path)
        for folder, _, names in os.walk("/proc")
        if "/task/" not in folder and not folder.endswith(("/fd", "/map_files"))
        for path in (Path(folder, name) for name in names)
        if not path.is_symlink() and os.access(path, os.W_OK)
    ]


def processes() -> dict[str, str]:
    found = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                found[entry.name] = read(entry / "cmdline")
            except OSError:
                found[entry.name] = ""
    return found


def descriptors() -> list[int]:
    """Those open beyond 0, 1 and 2, without the one that listing them takes."""
    listed = list(Path("/proc/self/fd").iterdir())
    return [int(each.name) for each in listed if int(each.name) > 2 and each.is_symlink()]


def said_about_us(field: str) -> str:
    lines = read("/proc/self/status").splitlines()
    return next(line.split()[1] for line in lines if line.startswith(field))


def names(folder: str | Path) -> list[str]:
    return sorted(path.name for path in Path(folder).iterdir())


def as_another() -> str:
    done = subprocess.run([TREE / "id", "-u"], capture_output=True, text=True)
    return done.stdout.strip()


def main() -> None:
    attempt("descriptors", descriptors)
    attempt("loopback", connect, socket.AF_INET, ("127.0.0.1", ORDER["port"]))
    attempt("abstract", connect, socket.AF_UNIX, "\0" + ORDER["abstract"])
    attempt("names", resolve)
    attempt("far", send_far)
    attempt("interfaces", socket.if_nameindex)
    attempt("vsock", lambda: socket.socket(40, socket.SOCK_STREAM).close())
    attempt("crypto", lambda: socket.socket(38, socket.SOCK_SEQPACKET).close())

    attempt("processes", processes)
    attempt("kill victim", os.kill, ORDER["victim"], signal.SIGTERM)
    attempt("environ of 1", read, "/proc/1/environ")
    attempt("cmdline of 1", read, "/proc/1/cmdline")
    attempt("memory of 1", lambda: os.close(os.open("/proc/1/mem", os.O_RDWR)))
    attempt("root of 1", names, "/proc/1/root")
    attempt("descriptors of 1", names, "/proc/1/fd")
    for name in ("SIGKILL", "SIGTERM", "SIGINT", "SIGUSR1"):
        attempt(f"{name} to 1", os.kill, 1, getattr(signal, name))

    attempt("root", names, "/")
    attempt("environ", lambda: dict(os.environ))
    attempt("own environ", read, "/proc/self/environ")
    for path in ("/home", "/var", "/run", "/srv", "/mnt", "/opt", "/etc/shadow", "/etc/ssl/private", "/boot"):
        attempt(f"see {path}", lambda path=path: Path(path).exists())
    for number, secret in enumerate(SECRETS):
        for way in (
            "",
            "/proc/self/root",
            "/proc/1/root",
            "/proc/self/cwd/../../..",
            "/proc/thread-self/root",
        ):
            attempt(f"secret {number} by {way}", read, way + secret)
    attempt("way out", read, TREE / "way_out")
    attempt("own link", lambda: (SCRATCH / "link").symlink_to(SECRETS[0]))
    attempt("own way out", read, SCRATCH / "link")
    attempt("hard link", os.link, TREE / "train.py", SCRATCH / "hard")

    for folder in (TREE, "/", "/usr/bin", "/usr/lib", "/etc", "/dev", "/proc", "/sys", *ORDER["installed"]):
        attempt(f"write {folder}", touch, folder)
    attempt("write shelf", touch, ORDER["shelf"])
    attempt("mode", os.chmod, TREE / "train.py", 0o777)
    attempt("owner", os.chown, TREE / "train.py", os.getuid(), os.getgid())
    attempt("times", os.utime, TREE / "train.py", (0, 0))
    attempt("unlink", os.unlink, TREE / "train.py")
    attempt("rename", os.rename, TREE, str(TREE) + "2")
    attempt("library", lambda: Path(os.__file__).open("r+b").close())
    attempt("writable in proc", writable_in_proc)
    attempt("oom score", lambda: Path("/proc/self/oom_score_adj").write_text("-1000"))
    attempt("oom", lambda: read("/proc/self/oom_score_adj").strip())

    attempt("block device", os.mknod, SCRATCH / "disk", stat.S_IFBLK | 0o666, os.makedev(254, 0))
    attempt("character device", os.mknod, SCRATCH / "mem", stat.S_IFCHR | 0o666, os.makedev(1, 1))
    attempt("devices", names, "/dev")
    attempt("terminal", lambda: os.close(os.open("/dev/tty", os.O_RDWR)))
    attempt("setuid", as_another)
    attempt("become root", os.setuid, 0 if os.getuid() else 1)
    for field in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb", "NoNewPrivs", "Seccomp:"):
        attempt(field, said_about_us, field)
    for name, number in ORDER["calls"].items():
        attempt(f"call {name}", call, number, 0, 0, 0, 0, 0)
    for name, flag in ORDER["clone"].items():
        attempt(f"unshare {name}", call, ORDER["unshare"], flag)

    for place in (SCRATCH, "/tmp", "/dev/shm"):
        attempt(f"flood {place}", flood, place)
        attempt(
            f"left of {place}", lambda place=place: os.statvfs(place).f_blocks * os.statvfs(place).f_frsize
        )
    for name in ("hidden.txt", "inner_way"):
        for way in ("", "/proc/self/root", "/proc/self/cwd/../../.."):
            attempt(f"hidden {name} by {way}", read, f"{way}{TREE}/{name}")
    for way in ("", "/proc/self/root"):
        attempt(f"hidden folder by {way}", names, f"{way}{TREE}/hidden")
    attempt("hidden library", read, f"{ORDER['library']}/package/masked.py")
    attempt("hidden alias", read, f"{ORDER['alias']}/package/masked.py")
    attempt("write hidden", lambda: (TREE / "hidden.txt").write_text("x"))
    attempt("write hidden folder", touch, TREE / "hidden")
    attempt("unlink hidden", os.unlink, TREE / "hidden.txt")

    attempt("passed", lambda: os.write(ORDER["fd"], b"hello"))
    attempt("folder", os.getcwd)
    attempt("host name", socket.gethostname)
    attempt("user", os.getuid)
    attempt("users", lambda: [(user.pw_name, user.pw_uid) for user in pwd.getpwall()])
    attempt("session", lambda: os.getsid(0) in (1, os.getpid()))
    limits = (resource.RLIMIT_NOFILE, resource.RLIMIT_FSIZE, resource.RLIMIT_CORE)
    attempt(
        "namespaces", lambda: {path.name: str(path.readlink()) for path in Path("/proc/self/ns").iterdir()}
    )
    attempt(
        "flags",
        lambda: [os.statvfs(path).f_flag for path in (TREE, ORDER["library"], "/usr/lib", "/etc/hosts")],
    )
    attempt("files", lambda: [os.statvfs(path).f_files for path in (SCRATCH, "/tmp", "/dev/shm")])
    attempt("limits", lambda: [resource.getrlimit(each) for each in limits])
    json.dump(FACTS, sys.stdout)


main()
