"""The login gate that nginx asks about every request: 204 for those who have a session, 401 for the others."""

import http.server

PORT = 9000


class Gate(http.server.BaseHTTPRequestHandler):
    """Looks at the cookie alone."""

    def do_GET(self):
        known = "session=" in self.headers.get("Cookie", "") and "expired" not in self.headers["Cookie"]
        self.send_response(204 if known else 401)
        self.end_headers()


http.server.ThreadingHTTPServer(("", PORT), Gate).serve_forever()
