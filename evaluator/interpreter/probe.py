"""Says what the Python that runs it is, as one line of JSON: python -B probe.py OURS [MODULE...]

OURS is the folder of what runs inside jails: what this Python can't compile there is named. The MODULEs are
looked for, and nothing is imported that any Python has not anyway. It must run under the oldest Python that somebody
may have, so that this one can be told that it is too old: annotations are texts, and there are no f-strings.
"""

import os
import sys

_HERE = os.path.dirname(os.path.abspath(__file__))  # noqa: PTH100, PTH120
sys.path[:] = [each for each in sys.path if os.path.abspath(each) != _HERE]  # noqa: PTH100

import json  # noqa: E402
import re  # noqa: E402

TYPE_CHECKING = False
if TYPE_CHECKING:
    from importlib.machinery import ModuleSpec


def main(ours: str, modules: "list[str]") -> None:
    """Print the facts."""
    facts: dict[str, object] = {"version": list(sys.version_info[:3]), "executable": sys.executable or ""}
    if sys.version_info >= (3, 8):  # noqa: UP036  (any Python may be asked)
        facts.update(_facts(ours, modules))
    print(json.dumps(facts))


def _facts(ours: str, modules: "list[str]") -> "dict[str, object]":
    import site
    import sysconfig

    prefixes = [sys.prefix, sys.exec_prefix, sys.base_prefix, sys.base_exec_prefix]
    library = [sysconfig.get_path(name) for name in ("stdlib", "platstdlib")]
    bare = [each for each in sys.path if each and os.path.isabs(each)]  # noqa: PTH117
    path = [each for each in bare if not _in_library(each, library)]
    places = _editable_places()
    return {
        "prefixes": _once(prefixes),
        "library": _once(library + [each for each in bare if each not in path]),
        "path": _once(path),
        "places": _once(places),
        "projects": _once(_editable_projects(path, places)),
        "libraries": _once(_mapped()),
        "user_base": site.getuserbase() if _has_user_site(path) else None,
        "torch": _version("torch"),
        "cuda": _said("torch", "cuda"),
        "numpy": _version("numpy"),
        "cloudpickle": _version("cloudpickle"),
        "not_compiled": _not_compiled(ours),
        "modules": {name: _is_there(name) for name in modules},
    }


def _once(paths: "list[str]") -> "list[str]":
    return list(dict.fromkeys(each for each in paths if each))


def _in_library(path: str, library: "list[str]") -> bool:
    """Whether a path of imports belongs to the standard library: it is in it, or is its archive."""
    if os.path.basename(path) in ("site-packages", "dist-packages"):  # noqa: PTH119
        return False
    return path.endswith(".zip") or any((path + os.sep).startswith(each + os.sep) for each in library)


def _has_user_site(path: "list[str]") -> bool:
    import site

    return bool(site.ENABLE_USER_SITE) and site.getusersitepackages() in path


def _editable_places() -> "list[str]":
    """Return the files and folders that finders of editable installations (setuptools) lead names to."""
    found: list[str] = []
    for name, module in list(sys.modules.items()):
        if name.startswith("__editable__"):
            found += list(getattr(module, "MAPPING", {}).values())
            for each in getattr(module, "NAMESPACES", {}).values():
                found += each
    return found


def _editable_projects(path: "list[str]", places: "list[str]") -> "list[str]":
    """Return the folders of editable installations that neither `path` nor `places` leads into (PEP 610)."""
    from importlib import metadata
    from urllib.parse import unquote, urlparse

    found = []
    for each in metadata.distributions():
        said = each.read_text("direct_url.json")
        try:
            url = json.loads(said) if said else {}
        except ValueError:
            continue
        if url.get("dir_info", {}).get("editable") and url.get("url", "").startswith("file:"):
            folder = unquote(urlparse(url["url"]).path)
            if not any((other + os.sep).startswith(folder + os.sep) for other in path + places):
                found.append(folder)
    return found


def _mapped() -> "list[str]":
    """Return the folders of the shared libraries that this process has loaded by now."""
    import ctypes  # noqa: F401  (libffi comes with it)
    import ssl  # noqa: F401  (and OpenSSL with it)

    with open("/proc/self/maps") as file:  # noqa: PTH123
        files = [line.split(None, 5)[5].strip() for line in file if len(line.split(None, 5)) == 6]
    return [os.path.dirname(each) for each in files if each.startswith("/") and ".so" in each]  # noqa: PTH120


def _spec(name: str) -> "ModuleSpec | None":
    from importlib.util import find_spec

    try:
        spec = find_spec(name)
    except (ImportError, ValueError):
        return None
    return spec if spec is not None and spec.origin else None


def _is_there(name: str) -> bool:
    from importlib.util import find_spec

    try:
        return find_spec(name) is not None
    except (ImportError, ValueError):
        return True  # something of that name is there


def _version(name: str) -> "str | None":
    """Return the version of a package, "unknown" if it does not tell, None if it is missing."""
    from importlib import metadata

    if _spec(name) is None:
        return None
    try:
        return metadata.version(name) or "unknown"
    except metadata.PackageNotFoundError:
        return _said(name, "__version__") or "unknown"


def _said(package: str, name: str) -> "str | None":
    """Return the text that a package's version.py gives to `name`, without importing it; None for none."""
    spec = _spec(package)
    if spec is None or spec.origin is None:
        return None
    try:
        with open(os.path.join(os.path.dirname(spec.origin), "version.py")) as file:  # noqa: PTH118, PTH120, PTH123
            found = re.search(r"^%s\b[^=\n]*=\s*['\"]([^'\"]+)['\"]" % name, file.read(), re.MULTILINE)  # noqa: UP031
    except (OSError, ValueError):
        return None
    return found.group(1) if found else None


def _not_compiled(ours: str) -> "str | None":
    """Return why one of our own programs can't run under this Python, None if all of them can."""
    for name in sorted(os.listdir(ours)):  # noqa: PTH208
        if name.endswith(".py"):
            path = os.path.join(ours, name)  # noqa: PTH118
            try:
                with open(path, encoding="utf-8") as file:  # noqa: PTH123
                    compile(file.read(), path, "exec")
            except SyntaxError as error:
                return "%s: %s" % (name, error)  # noqa: UP031
    return None


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
