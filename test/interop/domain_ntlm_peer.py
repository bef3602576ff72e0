"""pypsrp, pywinrm and impacket: NTLM of accounts of a domain, at a service on a machine that has joined it."""

import contextlib
import os
import subprocess

import winrm
from pypsrp.exceptions import AuthenticationError, WSManFaultError
from pypsrp.shell import Process, SignalCode, WinRS
from requests_credssp.exceptions import NTStatusException
from winrm.exceptions import InvalidCredentialsError

import peer
from peer import CONFIG, HTTP, HTTPS, check, equal, finished

DOMAIN = os.environ["CASEMENT_DOMAIN"]
PASSWORD = os.environ["CASEMENT_DOMAIN_PASSWORD"]
UID = os.environ["CASEMENT_UID"]  # of alice, as winbind makes it of her SID
GROUP = os.environ["CASEMENT_GROUP"]  # Operators, likewise
ALICE = DOMAIN + "\\alice"
QUERY = "SELECT Caption FROM Win32_OperatingSystem"
CAPTION = peer.os_release()["PRETTY_NAME"].split(" ")[0]


def client(ssl=False, user=ALICE, password=PASSWORD, auth="ntlm", **more):
    return peer.wsman(ssl=ssl, user=user, password=password, auth=auth, **more)


def caption(**options):
    c = client(**options)
    try:
        return peer.properties(peer.query(c, QUERY)[0])["Caption"].split(" ")[0]
    finally:
        c.close()


def command(line, **options):
    """A command of pypsrp in a shell of its own."""
    c = client(**options)
    try:
        with WinRS(c) as shell:
            p = Process(shell, line)
            p.invoke()
            p.signal(SignalCode.TERMINATE)
            return p.stdout.decode(), p.stderr.decode(), p.rc
    finally:
        c.close()


def refused(function, *kinds):
    try:
        function()
    except kinds:
        return
    raise AssertionError("it was let in")


@check("pypsrp: NTLM sealed over http, a query")
def _():
    equal(caption(), CAPTION)


@check("pypsrp: Negotiate sealed over http, a query")
def _():
    equal(caption(auth="negotiate"), CAPTION)


@check("pypsrp: over https with channel bindings at the level Strict")
def _():
    peer.configure(CbtHardeningLevel="Strict")
    try:
        equal(caption(ssl=True), CAPTION)
        refused(lambda: caption(ssl=True, negotiate_send_cbt=False), AuthenticationError)
    finally:
        peer.configure(CbtHardeningLevel="Relaxed")


@check("pypsrp: the name in other forms and cases")
def _():
    for user in ("corp\\ALICE", "corp.test\\alice", "alice@CORP.TEST"):
        equal(caption(user=user), CAPTION, user)


@check("pypsrp: the domain gives who is in no group of this machine nothing")
def _():
    try:
        client(user=DOMAIN + "\\bob").get(CONFIG)
    except Exception as error:
        if "denied" not in str(error).lower():
            raise
    else:
        raise AssertionError("bob was let in")


@check("pypsrp: a wrong password, sealed over http and over https")
def _():
    for ssl in (False, True):
        refused(lambda: caption(ssl=ssl, password="wrong"), AuthenticationError)


@check("pypsrp: a disabled account, sealed over http and over https")
def _():
    for ssl in (False, True):
        refused(lambda: caption(ssl=ssl, user=DOMAIN + "\\doris"), AuthenticationError)


@check("pypsrp: CredSSP with NTLM inside, over http and over https")
def _():
    peer.configure(CredSSP="true")
    try:
        for ssl in (False, True):
            equal(caption(ssl=ssl, auth="credssp", credssp_auth_mechanism="ntlm"), CAPTION, "ssl %s" % ssl)
            refused(lambda: caption(ssl=ssl, auth="credssp", credssp_auth_mechanism="ntlm", password="wrong"), AuthenticationError, NTStatusException)
    finally:
        peer.configure(CredSSP="false")


@check("pypsrp: no commands before root permits the users of the domain")
def _():
    refused(lambda: command("id -u"), WSManFaultError)
    subprocess.run([os.environ["CASEMENT_PROGRAM"], "user", "map", DOMAIN + "\\*", "--nss"], check=True, capture_output=True)
    listed = subprocess.run([os.environ["CASEMENT_PROGRAM"], "user", "list"], check=True, capture_output=True, text=True).stdout
    equal(DOMAIN + "\\*" in listed, True, listed)


@check("pypsrp: commands run as the Unix user of the name service switch")
def _():
    out, err, code = command("id -u; id -un; id -G")
    uid, name, groups = out.splitlines()
    equal((uid, name.lower(), code, err), (UID, ALICE.lower(), 0, ""))
    equal(GROUP in groups.split(), True, "Operators in " + groups)


def session(url, user=ALICE, password=PASSWORD, **more):
    return winrm.Session(url, auth=(user, password), transport="ntlm", server_cert_validation="ignore", **more)


@check("pywinrm: NTLM over https, a command as the Unix user of the name service switch")
def _():
    r = session(HTTPS).run_cmd("id", ["-u"])
    equal((r.std_out.decode().strip(), r.status_code), (UID, 0))


@check("pywinrm: NTLM sealed over http, a command")
def _():
    r = session(HTTP, message_encryption="always").run_cmd("id", ["-un"])
    equal((r.std_out.decode().strip().lower(), r.status_code), (ALICE.lower(), 0))


@check("pywinrm: a wrong password")
def _():
    refused(lambda: session(HTTPS, password="wrong").run_cmd("id"), InvalidCredentialsError)


@check("pywinrm: a disabled account")
def _():
    refused(lambda: session(HTTPS, user=DOMAIN + "\\doris").run_cmd("id"), InvalidCredentialsError)


def dcom(level, user="alice", password=PASSWORD):
    from impacket.dcerpc.v5.dcom import wmi
    from impacket.dcerpc.v5.dcomrt import DCOMConnection
    from impacket.dcerpc.v5.dtypes import NULL

    connection = DCOMConnection(os.environ["CASEMENT_DCOM"].rpartition(":")[0], user, password, DOMAIN, authLevel=level, oxidResolver=True)
    try:
        first = wmi.IWbemLevel1Login(connection.CoCreateInstanceEx(wmi.CLSID_WbemLevel1Login, wmi.IID_IWbemLevel1Login))
        services = first.NTLMLogin("//./root/cimv2", NULL, NULL)
        services.get_dce_rpc().set_auth_level(level)
        first.RemRelease()
        return services.ExecQuery(QUERY).Next(0xFFFFFFFF, 1)[0].getProperties()["Caption"]["value"].split(" ")[0]
    finally:
        with contextlib.suppress(Exception):  # it cannot end what it did not begin
            connection.disconnect()


@check("impacket: WMI over DCOM at integrity and privacy")
def _():
    from impacket.dcerpc.v5.rpcrt import RPC_C_AUTHN_LEVEL_PKT_INTEGRITY, RPC_C_AUTHN_LEVEL_PKT_PRIVACY

    for level in (RPC_C_AUTHN_LEVEL_PKT_INTEGRITY, RPC_C_AUTHN_LEVEL_PKT_PRIVACY):
        equal(dcom(level), CAPTION, "level %d" % level)


@check("impacket: a wrong password and a disabled account")
def _():
    from impacket.dcerpc.v5.rpcrt import RPC_C_AUTHN_LEVEL_PKT_PRIVACY, DCERPCException

    for user, password in (("alice", "wrong"), ("doris", PASSWORD)):
        refused(lambda: dcom(RPC_C_AUTHN_LEVEL_PKT_PRIVACY, user, password), DCERPCException)


finished()
