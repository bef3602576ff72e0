"""Other people's ends of WinRM's HTTP: pypsrp 0.9.1, pywinrm 0.5.0 and pyspnego 0.12.0, unpatched.

client LIBRARY URL USER PASSWORD   sends three messages and prints a JSON line with the answers
server USER PASSWORD               prints its port, then echoes sealed messages until standard input ends
"""

import base64
import http.server
import json
import os
import sys
import tempfile
import threading
import warnings
from urllib.parse import urlsplit

warnings.simplefilter("ignore")
MESSAGES = [b"<one/>", b"<two>" + b"x" * 100000 + b"</two>", "<three>ü漢</three>".encode()]


def pypsrp_sender(url, user, password, auth):
    from pypsrp.wsman import _TransportHTTP

    at = urlsplit(url)
    secure = at.scheme == "https"
    encryption = "auto" if secure else "always"
    transport = _TransportHTTP(at.hostname, at.port, user, password, secure, at.path.strip("/"), auth, False, encryption=encryption)
    return transport.send


def pywinrm_sender(url, user, password, auth):
    from winrm.transport import Transport

    secure = url.startswith("https")
    transport = Transport(url, username=user, password=password, auth_method=auth, server_cert_validation="ignore",
                          message_encryption="auto" if secure else "always")

    def send(message):
        answer = transport.send_message(message)
        return answer.encode() if isinstance(answer, str) else answer

    return send


def client(library, url, user, password):
    name, _, auth = library.partition("-")
    send = {"pypsrp": pypsrp_sender, "pywinrm": pywinrm_sender}[name](url, user, password, auth)
    try:
        print(json.dumps({"ok": all(send(m) == b"echo:" + m for m in MESSAGES)}))
    except Exception as error:
        print(json.dumps({"ok": False, "error": type(error).__name__ + ": " + str(error)}))


class Echo(http.server.BaseHTTPRequestHandler):
    """One instance serves one connection, so its context is that of the connection."""

    protocol_version = "HTTP/1.1"
    context = None

    def do_POST(self):
        import spnego
        from pypsrp.encryption import WinRMEncryption

        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        header = self.headers.get("Authorization", "")
        if header:
            if self.context is None or self.context.complete:
                self.context = spnego.server(hostname="localhost", service="HTTP", protocol="negotiate",
                                             options=spnego.NegotiateOptions.use_negotiate)
            try:
                token = self.context.step(base64.b64decode(header.partition(" ")[2]))
            except Exception as error:
                sys.stderr.write("%s\n" % error)
                self.context = None
                return self.answer(401, "Negotiate")
            offer = "Negotiate " + base64.b64encode(token).decode() if token else None
            return self.answer(200 if self.context.complete else 401, offer)
        if self.context is None or not self.context.complete:
            return self.answer(401, "Negotiate")
        sealing = WinRMEncryption(self.context, WinRMEncryption.SPNEGO)
        plain = sealing.unwrap_message(body, "Encrypted Boundary")
        kind, sealed = sealing.wrap_message(b"echo:" + plain)
        self.answer(200, None, sealed, '%s;protocol="%s";boundary="Encrypted Boundary"' % (kind, sealing.protocol))

    def answer(self, status, offer, body=b"", kind=None):
        self.send_response(status)
        if offer:
            self.send_header("WWW-Authenticate", offer)
        if kind:
            self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass


def server(user, password):
    with tempfile.NamedTemporaryFile("w", suffix=".users") as store:
        store.write(":%s:%s\n" % (user, password))
        store.flush()
        os.environ["NTLM_USER_FILE"] = store.name
        listener = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Echo)
        threading.Thread(target=listener.serve_forever, daemon=True).start()
        print(listener.server_port, flush=True)
        sys.stdin.read()


globals()[sys.argv[1]](*sys.argv[2:])
