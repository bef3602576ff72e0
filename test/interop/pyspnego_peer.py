"""pyspnego 0.12.0 as one end of an exchange: reads a JSON request a line from standard input, answers with one line each."""

import json
import os
import sys
import tempfile

import spnego
from spnego import ContextReq, NegotiateOptions
from spnego.channel_bindings import GssChannelBindings

context = None


def start(side, protocol, user="", password="", bindings="", accounts=()):
    global context
    bound = GssChannelBindings(application_data=bytes.fromhex(bindings)) if bindings else None
    options = NegotiateOptions.use_negotiate if protocol == "negotiate" else NegotiateOptions.use_ntlm
    common = dict(channel_bindings=bound, protocol=protocol, options=options | NegotiateOptions.wrapping_winrm)
    common["context_req"] = ContextReq.default
    if side == "client":
        context = spnego.client(user, password, hostname="127.0.0.1", service="HTTP", **common)
        return {}
    with tempfile.NamedTemporaryFile("w", delete=False) as store:
        store.write("".join("%s:%s:%s\n" % tuple(a) for a in accounts))
    os.environ["NTLM_USER_FILE"] = store.name
    context = spnego.server(hostname="127.0.0.1", service="HTTP", **common)
    return {}


def step(token=""):
    out = context.step(bytes.fromhex(token) or None)
    return {"token": (out or b"").hex(), "done": context.complete}


def seal(data):
    wrapped = context.wrap_winrm(bytes.fromhex(data))
    return {"header": wrapped.header.hex(), "data": wrapped.data.hex(), "padding": wrapped.padding_length}


def unseal(header, data):
    return {"data": context.unwrap_winrm(bytes.fromhex(header), bytes.fromhex(data)).hex()}


def identity():
    return {"user": str(context.client_principal or ""), "key": context.session_key.hex()}


for line in sys.stdin:
    request = json.loads(line)
    try:
        answer = globals()[request.pop("do")](**request)
    except Exception as error:
        answer = {"error": "%s: %s" % (type(error).__name__, error)}
    print(json.dumps(answer), flush=True)

if "NTLM_USER_FILE" in os.environ:
    os.unlink(os.environ["NTLM_USER_FILE"])
