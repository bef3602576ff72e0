"""impacket against the permissions of DCOM, before and after each grant of `casement dcomcnfg`."""

import contextlib
import os
import subprocess
import time

from impacket.dcerpc.v5.dcom import wmi
from impacket.dcerpc.v5.dcomrt import DCOMConnection
from impacket.dcerpc.v5.dtypes import NULL
from impacket.dcerpc.v5.rpcrt import RPC_C_AUTHN_LEVEL_PKT_PRIVACY

from peer import check, equal, finished

HOST = os.environ["CASEMENT_DCOM"].rpartition(":")[0]
PASSWORD = os.environ["CASEMENT_GATE_PASSWORD"]
QUERY = "SELECT Name FROM Win32_UserAccount"
OWN = 1  # who is no administrator, or is filtered, sees the own account alone


def casement(*words):
    done = subprocess.run([os.environ["CASEMENT_PROGRAM"], *words], capture_output=True, text=True)
    if done.returncode:
        raise AssertionError("casement %s: %s" % (" ".join(words), done.stderr))
    return done.stdout


def dcomcnfg(*words):
    return casement("dcomcnfg", *words)


def outcome(user):
    """How far a user comes: what refuses and with which code, or how many accounts there are."""
    connection = DCOMConnection(HOST, user, PASSWORD, "", authLevel=RPC_C_AUTHN_LEVEL_PKT_PRIVACY, oxidResolver=True)
    stage = "activation"
    try:
        unknown = connection.CoCreateInstanceEx(wmi.CLSID_WbemLevel1Login, wmi.IID_IWbemLevel1Login)
        login = wmi.IWbemLevel1Login(unknown)
        stage = "call"
        services = login.NTLMLogin("//./root/cimv2", NULL, NULL)
        login.RemRelease()
        enumerator = services.ExecQuery(QUERY)
        found = 0
        while True:
            try:
                found += len(enumerator.Next(0xFFFFFFFF, 1))
            except Exception as end:
                if "S_FALSE" not in str(end):
                    raise
                return found
    except Exception as error:
        text = str(error)
        for code, names in {
            "0x80070005": ("0x80070005", "rpc_s_access_denied"),  # a fault 5 is that HRESULT
            "0x80041003": ("0x80041003", "WBEM_E_ACCESS_DENIED"),
        }.items():
            if any(name in text for name in names):
                return "%s %s" % (stage, code)
        return "%s: %s" % (stage, text)
    finally:
        with contextlib.suppress(Exception):
            connection.disconnect()


def becomes(user, want):
    """The service follows a change at once, but for the moment that it takes to see it."""
    end = time.time() + 10
    while (got := outcome(user)) != want and time.time() < end:
        time.sleep(0.05)
    equal(got, want, user)



@check("the built-in Administrator comes in by default")
def default():
    got = outcome("Administrator")
    if not isinstance(got, int) or got <= OWN:
        raise AssertionError(got)


for name in ("alice", "bob"):  # a plain account, and a local administrator whose token is filtered

    @check("%s: refused at the activation" % name)
    def before():
        equal(outcome(name), "activation 0x80070005")

    @check("%s: Remote Launch alone is not enough" % name)
    def launch():
        dcomcnfg("grant", "--limits", "launch", name, "remote-launch")
        time.sleep(0.5)
        equal(outcome(name), "activation 0x80070005")

    @check("%s: Remote Activation alone is not enough" % name)
    def activation():
        dcomcnfg("revoke", "--limits", "launch", name, "remote-launch")
        dcomcnfg("grant", "--limits", "launch", name, "remote-activation")
        time.sleep(0.5)
        equal(outcome(name), "activation 0x80070005")

    @check("%s: with both DCOM lets pass, and the namespace does not" % name)
    def both():
        dcomcnfg("grant", "--limits", "launch", name, "remote-launch")
        becomes(name, "call 0x80041003")

    @check("%s: with rights in the namespace there are results, silently fewer" % name)
    def namespace():
        casement("wmi", "sd", "grant", "root/cimv2", name, "Enable Account,Remote Enable")
        becomes(name, OWN)  # the accounts of others are not seen

    @check("%s: the application's own permission counts too" % name)
    def application():
        dcomcnfg("deny", "--app", "wmi", "launch", name, "remote-activation")
        becomes(name, "activation 0x80070005")
        dcomcnfg("revoke", "--app", "wmi", "launch", name)
        becomes(name, OWN)

    @check("%s: without Remote Access the first call is refused" % name)
    def access():
        dcomcnfg("deny", "--limits", "access", name, "remote-access")
        becomes(name, "call 0x80070005")
        dcomcnfg("reset", "--limits", "access")
        becomes(name, OWN)

    @check("%s: an entry of the old format grants everything" % name)
    def old_format():
        dcomcnfg("set", "--limits", "launch", "O:BAG:BAD:(A;;CC;;;WD)")
        becomes(name, OWN)

    @check("%s: without the grants it is as before" % name)
    def after():
        dcomcnfg("reset", "--limits", "launch")
        becomes(name, "activation 0x80070005")


@check("LocalAccountTokenFilterPolicy 1: the administrator comes in and sees everything")
def policy():
    key = r"HKLM\SOFTWARE\Microsoft\Windows\CurrentVersion\Policies\System"
    casement("reg", "add", key, "/v", "LocalAccountTokenFilterPolicy", "/t", "REG_DWORD", "/d", "1", "/f")
    becomes("bob", outcome("Administrator"))
    equal(outcome("alice"), "activation 0x80070005")
    casement("reg", "add", key, "/v", "LocalAccountTokenFilterPolicy", "/t", "REG_DWORD", "/d", "0", "/f")
    becomes("bob", "activation 0x80070005")


@check("Distributed COM Users come in by their group")
def group():
    casement("group", "add", "Distributed COM Users", "alice")
    becomes("alice", OWN)


finished()
