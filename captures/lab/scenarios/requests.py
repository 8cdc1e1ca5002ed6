"""Requests that a proxy alters, redirects or refuses: forced upgrades, Host and Origin, paths, redirects, log-ins."""

from scenario import ON_ANY, Leading, Scenario, Visit
from truth import (
    AT_API, AT_PROXY, AT_PROXY_FRONT, GREETING, STRIPPED_1_0, TO_API, TO_GATE, TO_PAGE, TO_PROXY, established, refused,
    unasked,
)

PAGE, API = "/ws/events", "/api/live"
AT_CLIENT = "client 10.77.1.2"
HANDMADE = ["key-missing", "version-missing"]


def greet(status, **more):
    """A visit to the API that ends with a status."""
    return Visit("greet", API, f"failed: Unexpected server response: {status}", **more)


def ordinary(target, ending):
    """An ordinary request, such as for a page."""
    return Visit("ordinary", target, ending, client="raw")


def one(name, status, truth, leading, configuration, service, point, result, **more):
    """One visit to the API, refused."""
    return Scenario(name=name, point=point, configuration=configuration, services=(service,) if service else (),
                    visits=(greet(status),), taps=(ON_ANY,), truth=truth, leading=leading, result=result, **more)


SCENARIOS = [
    Scenario(
        name="forced-upgrade",
        point="Upgrade and Connection are literal in nginx's configuration: the WebSocket works, and every ordinary "
              "request arrives as a broken upgrade and is answered 400.",
        configuration="forced-upgrade.conf",
        visits=(Visit("greet", PAGE, "closed: 1000 bye"), ordinary("/", "answered: 400"),
                ordinary(API, "answered: 400")),
        taps=(ON_ANY,),
        truth=[established(TO_PROXY, PAGE, GREETING), established(TO_PAGE, PAGE, GREETING),
               refused(TO_PAGE, "/", 400, request_problems=HANDMADE),
               refused(TO_API, API, 400, request_problems=HANDMADE)],
        leading=Leading("forced-upgrade", AT_PROXY),
        result="The WebSocket is established on both legs. The client's two ordinary requests have nothing to do with "
               "WebSocket; on their way through nginx they get `Upgrade: websocket` and `Connection: upgrade`, without "
               "a key, and both applications answer 400.",
    ),
    Scenario(
        name="forced-upgrade-101",
        point="The same configuration with an upstream that looks at Upgrade alone: an ordinary request is answered "
              "101, after proxy_read_timeout and not before.",
        configuration="forced-upgrade.conf", services=("asks-nothing",),
        visits=(ordinary(API, "answered: 101, then closed"),),
        taps=(ON_ANY,),
        truth=[unasked(TO_PROXY, API, ["upgrade-missing", "connection-token-missing", *HANDMADE]),
               unasked(TO_API, API, HANDMADE)],
        leading=Leading("forced-upgrade", AT_PROXY),
        result="An ordinary request of the client is answered 101, which it never asked for. The upstream leg has the "
               "`Upgrade` that nginx wrote, and gets its 101 at once. nginx starts no tunnel and holds the 101 back "
               "until proxy_read_timeout, 3 s; then it sends it and closes both connections.",
    ),
    Scenario(
        name="connection-upgrade-always",
        point="Connection is a literal \"upgrade\" and Upgrade comes from the client: the WebSocket works, and "
              "ordinary requests reach the application with a Connection that asks for nothing.",
        configuration="connection-upgrade-always.conf",
        visits=(ordinary("/", "answered: 200"), Visit("greet", PAGE, "closed: 1000 bye")),
        taps=(ON_ANY,),
        truth=[established(TO_PROXY, PAGE, GREETING), established(TO_PAGE, PAGE, GREETING)],
        leading=Leading("connection-upgrade-always", AT_PROXY),
        result="The ordinary request is answered 200; on the upstream leg it has `Connection: upgrade` and no "
               "`Upgrade`. The WebSocket is established on both legs.",
    ),
    one("origin-rejected", 403,
        [refused(TO_PROXY, API, 403), refused(TO_API, API, 403)], Leading("origin-rejected", AT_PROXY),
        "no-host.conf", "api-same-origin",
        "proxy_set_header Host is forgotten, and the API compares Origin with Host: 403.",
        "One attempt, two legs, refused with 403. The upgrade fields are complete on both. `Origin` is "
        "http://chat.example.test on both; `Host` is the same name before nginx and `10.77.2.2:8000` after it."),
    one("host-rewritten-404", 404,
        [refused(TO_PROXY, API, 404), refused(TO_API, API, 404)], Leading("host-rewritten", AT_PROXY),
        "no-host.conf", "api-virtual-host",
        "proxy_set_header Host is forgotten, and the API serves by name: it does not know 10.77.2.2:8000, 404.",
        "One attempt, two legs, refused with 404. The upgrade fields and the target are the same on both; `Host` is "
        "chat.example.test before nginx and `10.77.2.2:8000` after it."),
    one("path-doubled-404", 404,
        [refused(TO_PROXY, API, 404), refused(TO_API, "/api/api/live", 404)], Leading("path-rewritten", AT_PROXY),
        "path-doubled.conf", "api",
        "proxy_pass adds /api/ to a path that has it already: /api/live becomes /api/api/live, 404.",
        "One attempt, two legs, refused with 404. The target is `/api/live` before nginx and `/api/api/live` after "
        "it."),
    one("path-double-slash-404", 404,
        [refused(TO_PROXY, API, 404), refused(TO_API, "//live", 404)], Leading("path-rewritten", AT_PROXY),
        "double-slash.conf", "api-canonical",
        "The location has no slash at its end and proxy_pass has one: /api/live becomes //live, where the API serves "
        "/live.",
        "One attempt, two legs, refused with 404. The target is `/api/live` before nginx and `//live` after it."),
    one("redirect-https", 301,
        [refused(TO_PROXY, API, 301)], Leading("redirect-https", AT_CLIENT),
        "redirect-https.conf", None,
        "The client uses ws:// where everything is redirected to https://: 301, and WebSocket clients do not follow.",
        "One attempt, refused with 301 and a `Location` that differs from the target by its scheme. There is no "
        "upstream leg: nginx answers itself. The client has to use wss://."),
    one("redirect-login", 302,
        [refused(TO_PROXY, API, 302), refused(TO_API, API, 302)], Leading("redirect-login", AT_API),
        "all-correct.conf", "api-login",
        "The application does not know the session and redirects to its login page: 302, which WebSocket clients do "
        "not follow.",
        "One attempt, two legs, refused with 302. `Location` is /login, and a `Set-Cookie` offers a new session."),
    Scenario(
        name="redirect-login-gate",
        point="nginx asks a login gate (auth_request), the gate says 401, and nginx redirects to the login page: 302.",
        configuration="auth-request.conf", services=("api", "gate"),
        visits=(greet(302, options=("cookie=expired",)),),
        taps=(ON_ANY,),
        truth=[refused(TO_PROXY, API, 302), refused(TO_GATE, "/auth", 401, "1.0", STRIPPED_1_0)],
        leading=Leading("redirect-login", AT_PROXY),
        result="One attempt of the client, refused with 302 to /login. nginx's question to the gate carries the "
               "client's fields, `Sec-WebSocket-Key` among them, and has no `Upgrade`: it looks like an upgrade "
               "stripped on the way, and is not one. It is answered 401. Nothing goes to the application.",
    ),
    Scenario(
        name="login-gate-passed",
        point="The same gate lets a client with a session pass: a healthy WebSocket, beside which nginx's question to "
              "the gate looks like a stripped upgrade.",
        configuration="auth-request.conf", services=("api", "gate"),
        visits=(Visit("greet", API, "closed: 1000 bye"),),
        taps=(ON_ANY,),
        truth=[established(TO_PROXY, API, GREETING), refused(TO_GATE, "/auth", 204, "1.0", STRIPPED_1_0),
               established(TO_API, API, GREETING)],
        leading=None,
        result="One attempt of the client, established on both legs. Between them nginx asks the gate with a GET to "
               "/auth, HTTP/1.0, with the same `Sec-WebSocket-Key` and without `Upgrade`, and is answered 204. That is "
               "how auth_request works: nothing is wrong.",
    ),
    one("auth-missing", 401,
        [refused(TO_PROXY, API, 401)], Leading("auth-missing", AT_PROXY_FRONT),
        "auth-basic.conf", None,
        "nginx asks for a password (auth_basic), and a WebSocket client cannot be asked: 401.",
        "One attempt, refused with 401 and `WWW-Authenticate: Basic`. The request has no `Authorization`. There is no "
        "upstream leg: nginx answers itself.", mended_services=("api",), notes="The file `users` does not exist: nginx reads it only when a "
        "password is sent."),
    one("auth-missing-upstream", 401,
        [refused(TO_PROXY, API, 401), refused(TO_API, API, 401)], Leading("auth-missing", AT_API),
        "all-correct.conf", "api-token",
        "The application asks for a token: 401.",
        "One attempt, two legs, refused with 401 and `WWW-Authenticate: Bearer` by the upstream. The request has no "
        "`Authorization`."),
]
