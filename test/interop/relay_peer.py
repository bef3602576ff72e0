"""A WinRM server made of other people's parts, for our client: pyspnego 0.12.0 judges the sign-in, pypsrp 0.9.1 opens and seals the
messages, and ElementTree reads them. What was read is said again in pypsrp's words to the running service, whose answers go back.

It prints its port, then a JSON line for each message, until standard input ends.
"""

import base64
import http.server
import os
import re
import sys
import tempfile
import threading
import xml.etree.ElementTree as ET

import spnego
from pypsrp.encryption import WinRMEncryption
from pypsrp.exceptions import WinRMTransportError
from pypsrp.wsman import NAMESPACES, OptionSet, SelectorSet

import peer
from peer import emit

S, A, W, P = (NAMESPACES[n] for n in ("s", "wsa", "wsman", "wsmv"))
ANONYMOUS = "http://schemas.xmlsoap.org/ws/2004/08/addressing/role/anonymous"
UUID = re.compile(r"uuid:[0-9A-F]{8}(-[0-9A-F]{4}){3}-[0-9A-F]{12}")
SECONDS = re.compile(r"PT(\d+)(?:\.\d+)?S")
KNOWN = {"{%s}%s" % (ns, name) for ns, names in (
    (A, ("To", "ReplyTo", "Action", "MessageID")),
    (W, ("ResourceURI", "MaxEnvelopeSize", "OperationTimeout", "Locale", "SelectorSet", "OptionSet")),
    (P, ("DataLocale", "SessionId", "OperationID", "SequenceId")),
) for name in names}


def must(condition, what):
    if not condition:
        raise AssertionError(what)


class Request:
    """A message of our client, as another program reads it."""

    def __init__(self, data):
        self.envelope = ET.fromstring(data)
        must(self.envelope.tag == "{%s}Envelope" % S, self.envelope.tag)
        self.header, self.body = self.envelope
        must((self.header.tag, self.body.tag) == ("{%s}Header" % S, "{%s}Body" % S), "header and body")
        must(len(self.body) <= 1, "one element in the body")
        self.identify = len(self.header) == 0
        if self.identify:
            return
        tags = [h.tag for h in self.header]
        must(len(tags) == len(set(tags)), "each header once: %s" % tags)
        must(set(tags) <= KNOWN, "headers that are not known: %s" % (set(tags) - KNOWN))
        self.action, self.uri = self.text(A, "Action"), self.text(W, "ResourceURI")
        self.id = self.text(A, "MessageID")
        must(UUID.fullmatch(self.id), self.id)
        must(self.header.findtext("{%s}ReplyTo/{%s}Address" % (A, A)) == ANONYMOUS, "ReplyTo")
        self.size = int(self.text(W, "MaxEnvelopeSize"))
        self.timeout = int(SECONDS.fullmatch(self.text(W, "OperationTimeout")).group(1))
        for name in ("Action", "ResourceURI", "MaxEnvelopeSize"):
            element = self.header.find("{%s}%s" % (A if name == "Action" else W, name))
            must(element.get("{%s}mustUnderstand" % S) in ("true", "1"), "mustUnderstand of " + name)
        method = self.action.removeprefix(self.uri + "/")
        if method != self.action and "/wmi/" in self.uri:
            must([b.tag for b in self.body] == ["{%s}%s_INPUT" % (self.uri, method)], "the body of a method, parameters or none")

    def text(self, namespace, name):
        return self.header.findtext("{%s}%s" % (namespace, name)).strip()

    def named(self, kind, container, item):
        """A SelectorSet or OptionSet of pypsrp, None if there is none."""
        found = self.header.find("{%s}%s" % (W, container))
        if found is None:
            return None
        values = kind()
        for element in found:
            must(element.tag == "{%s}%s" % (W, item) and len(element) == 0, element.tag)
            attributes = {k: v for k, v in element.attrib.items() if k != "Name"}
            values.add_option(element.get("Name"), element.text or "", attributes or None)
        return values

    def relay(self, service):
        """Status and body of the service's answer."""
        if self.identify:
            return self.send(service, ET.tostring(self.envelope, encoding="utf-8"))
        service.max_envelope_size = self.size
        options, selectors = self.named(OptionSet, "OptionSet", "Option"), self.named(SelectorSet, "SelectorSet", "Selector")
        id, header = service._create_header(self.action, self.uri, options, selectors, self.timeout)
        envelope = ET.Element("{%s}Envelope" % S)
        envelope.append(header)
        envelope.append(self.body)
        status, answer = self.send(service, ET.tostring(envelope, encoding="utf-8"))
        theirs, ours = ("uuid:" + id).encode(), self.id.encode()
        must(answer.count(theirs) == 1, "one RelatesTo in the answer")
        return status, answer.replace(theirs, ours)

    @staticmethod
    def send(service, data):
        try:
            status, answer = 200, service.transport.send(data)
        except WinRMTransportError as error:
            status, answer = error.code, error.response_text.encode()
        ET.fromstring(answer)
        return status, answer


class Relay(http.server.BaseHTTPRequestHandler):
    """One instance serves one connection, so its context is that of the connection."""

    protocol_version = "HTTP/1.1"
    context = service = None

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        header = self.headers.get("Authorization", "")
        if header:
            return self.sign_in(base64.b64decode(header.partition(" ")[2]))
        if self.context is None or not self.context.complete:
            return self.answer(401, "Negotiate")
        if self.service is None:
            self.service = peer.wsman(read_timeout=90)
        try:
            sealing = WinRMEncryption(self.context, WinRMEncryption.SPNEGO)
            request = Request(sealing.unwrap_message(body, "Encrypted Boundary"))
            status, answer = request.relay(self.service)
            emit("Identify" if request.identify else request.action, True, status)
        except Exception as error:
            emit("message", False, "%s: %s" % (type(error).__name__, error))
            self.close_connection = True
            return self.answer(400)
        kind, sealed = sealing.wrap_message(answer)
        self.answer(status, None, sealed, '%s;protocol="%s";boundary="Encrypted Boundary"' % (kind, sealing.protocol))

    def sign_in(self, token):
        if self.context is None or self.context.complete:
            self.context = spnego.server(hostname="127.0.0.1", service="HTTP", protocol="negotiate",
                                         options=spnego.NegotiateOptions.use_negotiate)
        try:
            token = self.context.step(token)
        except Exception:
            self.context = None
            return self.answer(401, "Negotiate")
        offer = "Negotiate " + base64.b64encode(token).decode() if token else None
        self.answer(200 if self.context.complete else 401, offer)

    def answer(self, status, offer=None, body=b"", kind=None):
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


with tempfile.NamedTemporaryFile("w", suffix=".users") as store:
    store.write(":%s:%s\n" % (peer.USER, peer.PASSWORD))
    store.flush()
    os.environ["NTLM_USER_FILE"] = store.name
    listener = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Relay)
    threading.Thread(target=listener.serve_forever, daemon=True).start()
    print(listener.server_port, flush=True)
    sys.stdin.read()
