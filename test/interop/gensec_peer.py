"""Samba's client of Kerberos (gensec over Heimdal) as one end of an exchange: reads a JSON request a line from standard input, answers with
one line each. The configuration of the domain is the first argument; KRB5_CONFIG names its KDC."""

import json
import sys

from samba import credentials, gensec, param

config = param.LoadParm()
config.load(sys.argv[1])
context = None


def start(user, password, realm, service, host, mech, dce):
    global context
    who = credentials.Credentials()
    who.guess(config)
    who.set_username(user)
    who.set_password(password)
    who.set_realm(realm)
    who.set_kerberos_state(credentials.MUST_USE_KERBEROS)
    context = gensec.Security.start_client({"lp_ctx": config, "target_hostname": host})
    context.set_credentials(who)
    context.set_target_service(service)
    context.set_target_hostname(host)
    for feature in (gensec.FEATURE_SIGN, gensec.FEATURE_SEAL, gensec.FEATURE_SESSION_KEY) + ((gensec.FEATURE_DCE_STYLE,) if dce else ()):
        context.want_feature(feature)
    context.start_mech_by_name(mech)
    return {}


def step(token=""):
    done, out = context.update(bytes.fromhex(token))
    return {"token": out.hex(), "done": done}


def identity():
    return {"key": context.session_key().hex()}


def sign(data):
    return {"token": context.sign_packet(bytes.fromhex(data), bytes.fromhex(data)).hex()}


def verify(data, token):
    context.check_packet(bytes.fromhex(data), bytes.fromhex(data), bytes.fromhex(token))
    return {}


def wrap(data):
    return {"token": context.wrap(bytes.fromhex(data)).hex()}


def unwrap(token):
    return {"data": context.unwrap(bytes.fromhex(token)).hex()}


for line in sys.stdin:
    request = json.loads(line)
    try:
        answer = globals()[request.pop("do")](**request)
    except Exception as error:
        answer = {"error": "%s: %s" % (type(error).__name__, error)}
    print(json.dumps(answer), flush=True)
