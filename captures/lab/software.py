"""Installs what a fresh Debian lacks, and knows the versions of what really ran."""

import contextlib
import dataclasses
import hashlib
import json
import os
import pathlib
import shutil
import subprocess

from problem import Problem

# Each command the lab calls, and the Debian package that brings it.
PACKAGES = {
    "ip": "iproute2", "ss": "iproute2", "sysctl": "procps", "ethtool": "ethtool",
    "nginx": "nginx-light", "tcpdump": "tcpdump", "tshark": "tshark", "mergecap": "wireshark-common",
    "gzip": "gzip", "node": "nodejs", "npm": "npm", "openssl": "openssl", "iptables": "iptables",
    "haproxy": "haproxy", "apache2": "apache2-bin", "caddy": "caddy",
}
POLICY = pathlib.Path("/usr/sbin/policy-rc.d")
PYTHON = "/usr/bin/python3"


@dataclasses.dataclass
class Tools:
    """Where the applications and their libraries are."""

    lab: pathlib.Path
    node_modules: pathlib.Path
    python: pathlib.Path
    older_python: pathlib.Path

    def versions(self, proxies, older, node_packages):
        """The versions as the programs themselves report them; `older` is for the older Python library. Where Node
        packages beside `ws` are named, no Python runs.
        """
        python = str(self.older_python if older else self.python)
        return {name: PROXIES[name]() for name in proxies} | {
            "tcpdump": _first_line("tcpdump", "--version").removeprefix("tcpdump version "),
            "libpcap": _line("libpcap", "tcpdump", "--version").removeprefix("libpcap version ").split()[0],
            "Node.js": _first_line("node", "--version").removeprefix("v"),
        } | {name: self._node_version(name) for name in ("ws", *node_packages)} | ({} if node_packages else {
            "Python": _first_line(python, "--version").removeprefix("Python "),
            "websockets": _first_line(python, "-c", "import websockets; print(websockets.__version__)"),
        }) | {"tshark": _first_line("tshark", "--version").split()[2]}

    def _node_version(self, name):
        manifest = self.node_modules / name / "package.json"
        return json.loads(manifest.read_text(encoding="utf-8"))["version"]


PROXIES = {
    "nginx": lambda: _first_line("nginx", "-v").removeprefix("nginx version: nginx/"),
    "HAProxy": lambda: _first_line("haproxy", "-v").split()[2].partition("-")[0],
    "Apache": lambda: _line("Server version", "apache2", "-v").partition("Apache/")[2].split()[0],
    "Caddy": lambda: _first_line("caddy", "version").split()[0].removeprefix("v"),
}


def _output(*words):
    done = subprocess.run(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=30, check=True)
    return done.stdout.splitlines()


def _line(start, *words):
    return next(line for line in _output(*words) if line.startswith(start))


def _first_line(*words):
    return next(line for line in _output(*words) if line and not line.startswith("Running as user"))


def _install(what, *words, **options):
    try:
        done = subprocess.run(words, capture_output=True, text=True, timeout=600, check=False, **options)
    except subprocess.TimeoutExpired:
        raise Problem(f"cannot install {what}: not done after 10 minutes") from None
    if done.returncode != 0:
        reason = (done.stderr or done.stdout).strip().splitlines()[-1:]
        raise Problem(f"cannot install {what}: {' '.join(reason)}")


def _debian_packages():
    missing = {package for tool, package in PACKAGES.items() if shutil.which(tool) is None}
    if subprocess.run([PYTHON, "-c", "import ensurepip"], capture_output=True, check=False).returncode != 0:
        missing.add("python3-venv")
    if missing:
        quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        _install("the package list", "apt-get", "update", env=quiet)
        with _no_services():
            _install(", ".join(sorted(missing)), "apt-get", "install", "-y", "--no-install-recommends",
                     *sorted(missing), env=quiet)


@contextlib.contextmanager
def _no_services():
    """Keeps Debian's packages from starting servers of their own (invoke-rc.d asks this program; 101 means no)."""
    if POLICY.exists():
        yield
        return
    POLICY.write_text("#!/bin/sh\nexit 101\n", encoding="utf-8")
    POLICY.chmod(0o755)
    try:
        yield
    finally:
        POLICY.unlink()


def _cached(kind, *inputs):
    """A folder outside the repository, whose name changes with the content of the input files."""
    digest = hashlib.sha256(b"".join(path.read_bytes() for path in inputs)).hexdigest()[:12]
    base = pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache")
    return base / "wsinspect-lab" / f"{kind}-{digest}"


def _node_modules(app):
    folder = _cached("node", app / "package-lock.json")
    if not (folder / "complete").exists():
        folder.mkdir(parents=True, exist_ok=True)
        for name in ("package.json", "package-lock.json"):
            shutil.copy(app / name, folder)
        _install("the Node packages", "npm", "ci", "--no-audit", "--no-fund", cwd=folder)
        (folder / "complete").touch()
    return folder / "node_modules"


def _python(requirements):
    folder = _cached("python", requirements)
    if not (folder / "complete").exists():
        _install("a Python environment", PYTHON, "-m", "venv", "--clear", str(folder))
        _install("the Python packages", str(folder / "bin/pip"), "install", "-q", "-r", str(requirements))
        (folder / "complete").touch()
    return folder / "bin/python"


def prepare(lab):
    """Everything the scenarios need, installed."""
    _debian_packages()
    return Tools(lab, _node_modules(lab / "app"), _python(lab / "requirements.txt"),
                 _python(lab / "requirements-older.txt"))
