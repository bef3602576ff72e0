"""MIT's GSS-API by python3-gssapi as one end of an exchange: reads a JSON request a line from standard input, answers with one line each.
Realm, tickets and keys come from the environment (KRB5_CONFIG, KRB5CCNAME, KRB5_KTNAME)."""

import json
import sys

import gssapi.raw as g

MECHANISMS = {"kerberos": g.OID.from_int_seq("1.2.840.113554.1.2.2"), "spnego": g.OID.from_int_seq("1.3.6.1.5.5.2")}
SESSION_KEY = g.OID.from_int_seq("1.2.840.113554.1.2.2.5.5")
B, F = g.IOVBufferType, g.RequirementFlag

context, done, side, mechanism, target, flags, bound, caller, delegated = None, False, "", None, None, None, None, "", None


def start(side, spn="", mech="kerberos", dce=False, delegate=False, mutual=True, conf=True, bindings=""):
    globals().update(side=side, mechanism=MECHANISMS[mech], bound=g.ChannelBindings(application_data=bytes.fromhex(bindings)) if bindings else None)
    if side == "client":
        wanted = F.replay_detection | F.out_of_sequence_detection | F.integrity
        for flag, on in ((F.mutual_authentication, mutual), (F.confidentiality, conf), (F.dce_style, dce), (F.delegate_to_peer, delegate)):
            wanted |= flag if on else 0
        globals().update(flags=wanted, target=g.import_name(spn.encode(), g.NameType.kerberos_principal))
    return {}


def step(token=""):
    global context, done, caller, delegated
    token = bytes.fromhex(token) or None
    if side == "client":
        r = g.init_sec_context(target, context=context, mech=mechanism, flags=flags, channel_bindings=bound, input_token=token)
    else:
        r = g.accept_sec_context(token, context=context, channel_bindings=bound)
        delegated = r.delegated_creds
    context, done = r.context, not r.more_steps
    if done:
        caller = g.display_name(g.inquire_context(context, initiator_name=True).initiator_name, name_type=False).name.decode()
    return {"token": (r.token or b"").hex(), "done": done, "flags": int(r.flags)}


def identity():
    key = g.inquire_sec_context_by_oid(context, SESSION_KEY)[0]
    name = g.inquire_cred(delegated).name if delegated else None
    return {"user": caller, "key": key.hex(), "delegated": g.display_name(name, name_type=False).name.decode() if name else ""}


def buffers(parts):
    kinds = {"sign": B.sign_only, "data": B.data}
    return [(kinds[kind], False, bytes.fromhex(text)) for kind, text in parts]


def seal(parts, conf=True):
    """The token of gss_wrap_iov without trailer, and the buffers between."""
    iov = g.IOV(B.header, *buffers(parts), std_layout=False)
    g.wrap_iov(context, iov, confidential=conf)
    return {"header": iov[0].value.hex(), "parts": [b.value.hex() for b in list(iov)[1:]]}


def seal_padded(parts):
    """As pyspnego does for WinRM: header, data, padding."""
    iov = g.IOV(B.header, *buffers(parts), B.padding, std_layout=False)
    g.wrap_iov(context, iov, confidential=True)
    values = [(b.value or b"").hex() for b in iov]
    return {"header": values[0], "parts": values[1:-1], "padding": values[-1]}


def unseal(header, parts):
    iov = g.IOV((B.header, False, bytes.fromhex(header)), *buffers(parts), std_layout=False)
    r = g.unwrap_iov(context, iov)
    return {"parts": [b.value.hex() for b in list(iov)[1:]], "sealed": bool(r.encrypted)}


def wrap(data):
    return {"token": g.wrap(context, bytes.fromhex(data), True).message.hex()}


def unwrap(token):
    return {"data": g.unwrap(context, bytes.fromhex(token)).message.hex()}


def sign(data):
    return {"token": g.get_mic(context, bytes.fromhex(data)).hex()}


def verify(data, token):
    g.verify_mic(context, bytes.fromhex(data), bytes.fromhex(token))
    return {}


for line in sys.stdin:
    request = json.loads(line)
    try:
        answer = globals()[request.pop("do")](**request)
    except Exception as error:
        answer = {"error": "%s: %s" % (type(error).__name__, error)}
    print(json.dumps(answer), flush=True)
