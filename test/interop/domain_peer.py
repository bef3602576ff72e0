"""pypsrp and pywinrm with MIT Kerberos, impacket with its own: sign-in with the tickets of a domain."""

import os
import subprocess
from urllib.parse import urlsplit

import peer
from peer import CONFIG, check, equal, finished

HOST = os.environ["CASEMENT_HOST"]
TARGET = HOST.partition(".")[0]  # which a hosts file has at the address of DCOM
REALM = os.environ["CASEMENT_REALM"]
KDC = os.environ["CASEMENT_KDC"]
USER = os.environ["CASEMENT_DOMAIN_USER"]
PASSWORD = os.environ["CASEMENT_DOMAIN_PASSWORD"]


def client(ssl=False, **more):
    from pypsrp.wsman import WSMan

    more.setdefault("auth", "kerberos")
    more.setdefault("encryption", "auto" if ssl else "always")
    return WSMan(HOST, port=urlsplit(peer.HTTPS if ssl else peer.HTTP).port, ssl=ssl, cert_validation=False, **more)


def reads(**options):
    """Reads the configuration, which only an administrator may."""
    c = client(**options)
    try:
        return c.get(CONFIG)[0].tag.rpartition("}")[2]
    finally:
        c.close()


@check("pypsrp: Kerberos with the ticket of a cache, sealed over http")
def _():
    equal(reads(), "Config")


@check("pypsrp: Negotiate, sealed over http")
def _():
    equal(reads(auth="negotiate"), "Config")


@check("pypsrp: with a password")
def _():
    equal(reads(username="%s@%s" % (USER, REALM), password=PASSWORD), "Config")


@check("pypsrp: each service name that the computer has")
def _():
    for service in ("HTTP", "WSMAN", "host"):
        equal(reads(negotiate_service=service), "Config", service)


@check("pypsrp: over https with channel bindings at the level Strict")
def _():
    peer.configure(CbtHardeningLevel="Strict")
    try:
        equal(reads(ssl=True), "Config")
        try:
            reads(ssl=True, negotiate_send_cbt=False)
        except Exception as error:
            if "401" not in str(error) and "credential" not in str(error).lower() and "AuthenticationError" not in type(error).__name__:
                raise
        else:
            raise AssertionError("without bindings it was let in")
    finally:
        peer.configure(CbtHardeningLevel="Relaxed")


@check("pypsrp: CredSSP with Kerberos inside, sealed over http, and over https")
def _():
    peer.configure(CredSSP="true")
    try:
        for ssl in (False, True):
            equal(reads(ssl=ssl, auth="credssp", username="%s@%s" % (USER, REALM), password=PASSWORD, credssp_auth_mechanism="kerberos"), "Config", "ssl %s" % ssl)
    finally:
        peer.configure(CredSSP="false")


@check("pypsrp: a hundred answers are sealed in turn")
def _():
    c = client()
    try:
        for _ in range(100):
            c.get(CONFIG)
    finally:
        c.close()


@check("pypsrp: a forwarded ticket is taken")
def _():
    equal(reads(negotiate_delegate=True), "Config")


@check("pywinrm: Kerberos, a message sealed over http")
def _():
    from winrm.protocol import Protocol

    p = Protocol(peer.HTTP.replace("127.0.0.1", HOST), transport="kerberos", message_encryption="always", username="%s@%s" % (USER, REALM), password="")
    try:
        shell = p.open_shell()
    except Exception as error:  # an account of a domain without a Unix user has no shell; the message itself was sealed and read
        if "Unix user" not in str(error) and "code" not in str(error).lower():
            raise
        return str(error)
    p.close_shell(shell)


def dcom(level, target=TARGET, user=USER, password="", **more):
    from impacket.dcerpc.v5.dcom import wmi
    from impacket.dcerpc.v5.dcomrt import DCOMConnection
    from impacket.dcerpc.v5.dtypes import NULL

    connection = DCOMConnection(target, user, password, REALM, authLevel=level, oxidResolver=True, doKerberos=True, kdcHost=KDC, **more)
    try:
        first = wmi.IWbemLevel1Login(connection.CoCreateInstanceEx(wmi.CLSID_WbemLevel1Login, wmi.IID_IWbemLevel1Login))
        services = first.NTLMLogin("//./root/cimv2", NULL, NULL)
        services.get_dce_rpc().set_auth_level(level)
        first.RemRelease()
        enumerator = services.ExecQuery("SELECT Caption FROM Win32_OperatingSystem")
        row = enumerator.Next(0xFFFFFFFF, 1)[0].getProperties()
        return row["Caption"]["value"]
    finally:
        connection.disconnect()


@check("impacket -k: WMI over DCOM at integrity and privacy, with the ticket of a cache")
def _():
    from impacket.dcerpc.v5.rpcrt import RPC_C_AUTHN_LEVEL_PKT_INTEGRITY, RPC_C_AUTHN_LEVEL_PKT_PRIVACY

    # The KDC of Samba 4.17 refuses impacket's own requests for service tickets (KRB_AP_ERR_INAPP_CKSUM), so that MIT's kvno gets this one.
    subprocess.run(["kvno", "-q", "host/" + TARGET], check=True)
    os.environ["KRB5CCNAME"] = os.environ["KRB5CCNAME"].removeprefix("FILE:")
    want = peer.os_release()["PRETTY_NAME"]
    for level in (RPC_C_AUTHN_LEVEL_PKT_INTEGRITY, RPC_C_AUTHN_LEVEL_PKT_PRIVACY):
        equal(dcom(level).startswith(want.split(" ")[0]), True, "level %d" % level)


finished()
