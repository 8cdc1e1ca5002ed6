"""The proxies a scenario can name: how each is started, reloaded and told from the others.

A configuration is what a person would write. The frame around it, which keeps all files below the run's own folder,
is a file of the lab beside it.
"""

import dataclasses
import shutil
import signal

import network
import processes


@dataclasses.dataclass(frozen=True)
class Software:
    """One proxy program. In `words` and `reload`, {folder} is where its frame and its site are."""

    name: str
    frame: str
    site: str
    language: str
    words: tuple
    reload: object = None
    environment: tuple = ()


SOFTWARE = {
    "nginx": Software("nginx", "nginx.conf", "site.conf", "nginx",
                      ("nginx", "-p", "{folder}/", "-c", "nginx.conf"), signal.SIGHUP),
    "haproxy": Software("HAProxy", "frame.cfg", "site.cfg", "haproxy",
                        ("haproxy", "-W", "-f", "{folder}/frame.cfg", "-f", "{folder}/site.cfg"), signal.SIGUSR2),
    "apache": Software("Apache", "frame.conf", "site.conf", "apache",
                       ("apache2", "-DFOREGROUND", "-f", "{folder}/frame.conf")),
    "caddy": Software("Caddy", "frame.caddyfile", "site.caddyfile", "caddyfile",
                      ("caddy", "run", "--adapter", "caddyfile", "--config", "{folder}/frame.caddyfile"),
                      ("caddy", "reload", "--force", "--adapter", "caddyfile", "--config", "{folder}/frame.caddyfile",
                       "--address", "unix//{folder}/admin.sock"),
                      (("HOME", "{folder}"), ("XDG_DATA_HOME", "{folder}"), ("XDG_CONFIG_HOME", "{folder}"))),
}


@dataclasses.dataclass(frozen=True)
class Proxy:
    """One proxy in the path of a request: a program, its configuration in lab/PROGRAM/, a port that it opens."""

    software: str
    configuration: str
    port: int = 80

    @property
    def name(self):
        """As its makers write it."""
        return SOFTWARE[self.software].name

    @property
    def language(self):
        """The word after the fence of a code block."""
        return SOFTWARE[self.software].language

    def path(self, lab):
        """The configuration's file."""
        return lab / self.software / self.configuration


class Running:
    """A proxy that serves."""

    def __init__(self, proxy, folder, process):
        self._software = SOFTWARE[proxy.software]
        self._folder = folder
        self._process = process

    def reload(self):
        """Has it read its configuration again, as after an edit."""
        if isinstance(self._software.reload, signal.Signals):
            self._process.send_signal(self._software.reload)
        else:
            words = (word.replace("{folder}", str(self._folder)) for word in self._software.reload)
            network.command(*network.inside(network.PROXY, *words))


def start(stack, proxy, lab, folder, number):
    """Starts a proxy and waits until it listens."""
    software = SOFTWARE[proxy.software]
    own = folder / f"{proxy.software}-{number}"
    shutil.copytree(lab / "nginx" / "page", own / "page")
    (own / "temporary").mkdir()
    shutil.copytree(folder / "certificate", own / "certificate")
    shutil.copy(lab / proxy.software / software.frame, own / software.frame)
    shutil.copy(proxy.path(lab), own / software.site)
    _fill_in(own / software.frame, own)
    words = [word.replace("{folder}", str(own)) for word in software.words]
    environment = {name: value.replace("{folder}", str(own)) for name, value in software.environment}
    log = folder / f"{own.name}.log"
    process = stack.enter_context(processes.running(network.PROXY, words, log, environment, cwd=own))
    processes.wait_for_port(network.PROXY, proxy.port, process, log)
    return Running(proxy, own, process)


def _fill_in(frame, folder):
    """A frame may say {folder} where its program has no notion of a folder of its own."""
    frame.write_text(frame.read_text(encoding="utf-8").replace("{folder}", str(folder)), encoding="utf-8")
