"""pypsrp 0.9.1: sign-in by each scheme, and channel bindings at each hardening level."""

import socket

from pypsrp.exceptions import AuthenticationError, WinRMError, WinRMTransportError

import peer
from peer import CONFIG, check, equal


def reads(**options):
    """Signs in and reads the configuration, which only an administrator may."""
    client = peer.wsman(**options)
    try:
        return client.get(CONFIG)[0].tag.rpartition("}")[2]
    finally:
        client.close()


def refused(**options):
    try:
        got = reads(**options)
    except (AuthenticationError, WinRMTransportError, WinRMError) as error:
        return "%s: %s" % (type(error).__name__, error)
    raise AssertionError("it was let in, and read %s" % got)


@check("ntlm sealed over http")
def _():
    equal(reads(auth="ntlm"), "Config")


@check("negotiate (SPNEGO) sealed over http")
def _():
    equal(reads(auth="negotiate"), "Config")


@check("names as user, host\\user and .\\user")
def _():
    for name in (peer.USER, socket.gethostname() + "\\" + peer.USER, ".\\" + peer.USER):
        equal(reads(auth="ntlm", user=name), "Config", name)


@check("negotiate over https")
def _():
    equal(reads(ssl=True, auth="negotiate"), "Config")


@check("ntlm over https, sealed inside TLS")
def _():
    equal(reads(ssl=True, auth="ntlm", encryption="always"), "Config")


@check("a large answer is sealed in one piece and opens")
def _():
    from pypsrp.shell import Process, WinRS

    with WinRS(peer.wsman(auth="ntlm", max_envelope_size=512000)) as s:
        p = Process(s, "head -c 2000000 /dev/zero | tr '\\0' x")
        p.invoke()
        equal((len(p.stdout), set(p.stdout), p.rc), (2000000, {ord("x")}, 0))


@check("a wrong password is refused")
def _():
    return refused(auth="ntlm", password="not the password")


@check("a clear message is refused over http")
def _():
    return refused(auth="ntlm", encryption="never")


@check("basic is refused while it is off")
def _():
    peer.configure(Basic="false")
    return refused(ssl=True, auth="basic")


@check("basic over https")
def _():
    peer.configure(Basic="true")
    equal(reads(ssl=True, auth="basic"), "Config")
    peer.configure(Basic="false")


@check("basic over http where clear text is allowed")
def _():
    peer.configure(Basic="true")
    try:
        refused(auth="basic", encryption="never")
        peer.configure(CONFIG + "/service", AllowUnencrypted="true")
        equal(reads(auth="basic", encryption="never"), "Config")
    finally:
        peer.configure(CONFIG + "/service", AllowUnencrypted="false")
        peer.configure(Basic="false")
    refused(auth="ntlm", encryption="never")


@check("CbtHardeningLevel Strict: with bindings in, without them out, over http no matter")
def _():
    peer.configure(CbtHardeningLevel="Strict")
    try:
        equal(reads(ssl=True, auth="ntlm"), "Config", "with bindings")
        refused(ssl=True, auth="ntlm", negotiate_send_cbt=False)
        equal(reads(auth="ntlm"), "Config", "over http")
    finally:
        peer.configure(CbtHardeningLevel="Relaxed")


@check("CbtHardeningLevel Relaxed: with and without bindings in")
def _():
    equal(reads(ssl=True, auth="ntlm"), "Config", "with bindings")
    equal(reads(ssl=True, auth="ntlm", negotiate_send_cbt=False), "Config", "without")


@check("CbtHardeningLevel None: with and without bindings in")
def _():
    peer.configure(CbtHardeningLevel="None")
    try:
        equal(reads(ssl=True, auth="ntlm"), "Config", "with bindings")
        equal(reads(ssl=True, auth="ntlm", negotiate_send_cbt=False), "Config", "without")
    finally:
        peer.configure(CbtHardeningLevel="Relaxed")


@check("wrong bindings are refused at Relaxed")
def _():
    import pypsrp.negotiate as negotiate

    original = negotiate.HTTPNegotiateAuth._get_cbt_data
    negotiate.HTTPNegotiateAuth._get_cbt_data = staticmethod(lambda response: b"tls-server-end-point:" + b"\0" * 32)
    try:
        return refused(ssl=True, auth="ntlm")
    finally:
        negotiate.HTTPNegotiateAuth._get_cbt_data = staticmethod(original)


peer.finished()
