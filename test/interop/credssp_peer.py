"""pypsrp 0.9.1 and pywinrm 0.5.0 with requests-credssp 2.0.0 against a running service."""

import socket
import sys

import winrm
from pypsrp.shell import Process, WinRS
from requests_credssp.exceptions import AuthenticationException, NTStatusException

import peer
from peer import CONFIG, HTTP, HTTPS, PASSWORD, USER, check, equal


def reads(**options):
    """Signs in and reads the configuration, which only an administrator may."""
    client = peer.wsman(auth="credssp", **options)
    try:
        return client.get(CONFIG)[0].tag.rpartition("}")[2]
    finally:
        client.close()


def session(url, **more):
    return winrm.Session(url, auth=(USER, PASSWORD), transport="credssp", server_cert_validation="ignore", **more)


@check("CredSSP is off until it is switched on")
def _():
    try:
        got = reads()
    except AuthenticationException as error:
        return str(error)
    raise AssertionError("it was let in, and read %s" % got)


peer.configure(CredSSP="true")


@check("pypsrp, sealed over http")
def _():
    equal(reads(), "Config")


@check("pypsrp, over https")
def _():
    equal(reads(ssl=True), "Config")


@check("pypsrp, sealed within https")
def _():
    equal(reads(ssl=True, encryption="always"), "Config")


@check("pypsrp, NTLM without SPNEGO inside, and version 6 at least")
def _():
    equal(reads(credssp_auth_mechanism="ntlm", credssp_minimum_version=6), "Config")


@check("pypsrp, names as host\\user and .\\user")
def _():
    for name in (socket.gethostname() + "\\" + USER, ".\\" + USER):
        equal(reads(user=name), "Config", name)


@check("pypsrp: requests and answers of more than 16 KB, in many parts")
def _():
    with WinRS(peer.wsman(auth="credssp", max_envelope_size=512000)) as s:
        p = Process(s, "wc -c; head -c 1000000 /dev/zero | tr '\\0' x")
        p.begin_invoke()
        p.send(b"y" * 300000, end=True)
        p.end_invoke()
        out = p.stdout
        first, _, rest = out.partition(b"\n")
        equal((first.strip(), len(rest), set(rest), p.rc), (b"300000", 1000000, {ord("x")}, 0))


@check("pypsrp: a wrong password is STATUS_LOGON_FAILURE")
def _():
    try:
        reads(password="not the password")
    except NTStatusException as error:
        equal("STATUS_LOGON_FAILURE" in str(error), True, str(error))
        return str(error)
    raise AssertionError("it was let in")


@check("pywinrm, sealed over http")
def _():
    r = session(HTTP, message_encryption="always").run_cmd("hostname")
    equal((r.std_out.decode().strip(), r.status_code), (socket.gethostname(), 0))


@check("pywinrm, over https")
def _():
    r = session(HTTPS).run_cmd("hostname")
    equal((r.std_out.decode().strip(), r.status_code), (socket.gethostname(), 0))


@check("a shell over CredSSP has what was handed over, and no password in its environment; one over NTLM has nothing")
def _():
    def environment(auth):
        with WinRS(peer.wsman(auth=auth)) as s:
            p = Process(s, "env")
            p.invoke()
            return p.stdout.decode()

    text = environment("credssp")
    equal(("CASEMENT_DELEGATION=@" in text, PASSWORD in text), (True, False))
    equal("CASEMENT_DELEGATION" in environment("ntlm"), False)


@check("the second hop: a command of the shell signs in elsewhere without credentials of its own, and only then")
def _():
    def hop(auth):
        with WinRS(peer.wsman(auth=auth)) as s:
            p = Process(s, "%s query %s 'SELECT CSName FROM Win32_OperatingSystem' -o csv" % (sys.argv[1], HTTP))
            p.invoke()
            return p.rc, p.stdout.decode().split(), p.stderr.decode()

    equal(hop("credssp"), (0, ["CSName", socket.gethostname()], ""))
    code, out, error = hop("ntlm")
    equal((code, out, "no user was named" in error), (1, [], True), error)


peer.configure(CredSSP="false")

peer.finished()
