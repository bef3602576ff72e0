"""pyspnego 0.12.0 as one end of an exchange: reads a JSON request a line from standard input, answers with one line each."""

import json
import os
import ssl
import sys
import tempfile

import spnego
import spnego.tls
from spnego import ContextReq, NegotiateOptions
from spnego.channel_bindings import GssChannelBindings

context = None


def tls(side, version):
    """CredSSP's own TLS in one version; a server makes itself a certificate."""
    made = spnego.tls.default_tls_context(usage="initiate" if side == "client" else "accept")
    made.context.minimum_version = made.context.maximum_version = ssl.TLSVersion[version]
    if side == "server":
        certificate, key, made.public_key = spnego.tls.generate_tls_certificate()
        with tempfile.NamedTemporaryFile() as store:
            store.write(certificate + key)
            store.flush()
            made.context.load_cert_chain(store.name)
    return made


def start(side, protocol, user="", password="", bindings="", accounts=(), version="", host="127.0.0.1"):
    global context
    bound = GssChannelBindings(application_data=bytes.fromhex(bindings)) if bindings else None
    options = {"ntlm": NegotiateOptions.use_ntlm, "kerberos": NegotiateOptions.use_gssapi}.get(protocol, NegotiateOptions.use_negotiate)
    common = dict(channel_bindings=bound, protocol=protocol, options=options | NegotiateOptions.wrapping_winrm)
    common["context_req"] = ContextReq.default
    if protocol == "credssp":
        common.update(credssp_tls_context=tls(side, version), credssp_min_protocol=6)
    if side == "client":
        context = spnego.client(user or None, password or None, hostname=host, service="HTTP", **common)
        return {}
    with tempfile.NamedTemporaryFile("w", delete=False) as store:
        store.write("".join("%s:%s:%s\n" % tuple(a) for a in accounts))
    os.environ["NTLM_USER_FILE"] = store.name
    context = spnego.server(hostname=host, service="HTTP", **common)
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


def delegated():
    got = context.get_extra_info("client_credential")
    return {"user": got.domain_name + "\\" + got.username, "data": got.password.encode().hex(),
            "key": str(context.get_extra_info("protocol_version"))}


for line in sys.stdin:
    request = json.loads(line)
    try:
        answer = globals()[request.pop("do")](**request)
    except Exception as error:
        answer = {"error": "%s: %s" % (type(error).__name__, error)}
    print(json.dumps(answer), flush=True)

if "NTLM_USER_FILE" in os.environ:
    os.unlink(os.environ["NTLM_USER_FILE"])
