"""pywinrm, pypsrp and impacket against a service whose remote management is on or off: WinRM follows, shells too, DCOM does not."""

import os
import sys

import winrm
from impacket.dcerpc.v5.dcom import wmi
from impacket.dcerpc.v5.dcomrt import DCOMConnection
from impacket.dcerpc.v5.dtypes import NULL
from impacket.dcerpc.v5.rpcrt import RPC_C_AUTHN_LEVEL_PKT_PRIVACY
from pypsrp.exceptions import WSManFaultError
from pypsrp.powershell import PowerShell, RunspacePool
from pypsrp.wsman import WSMan, WSManAction
from urllib.parse import urlsplit

from peer import CONFIG, HTTP, PASSWORD, USER, check, equal, finished

STATE = sys.argv[1]  # on or off
DISABLED = 0x803381DD  # ERROR_WSMAN_SERVICE_REMOTE_ACCESS_DISABLED
HOST, _, PORT = os.environ["CASEMENT_DCOM"].rpartition(":")


def wsman():
    at = urlsplit(HTTP)
    return WSMan(at.hostname, port=at.port, ssl=False, auth="ntlm", username=USER, password=PASSWORD, encryption="always")


def refused(what):
    try:
        what()
    except WSManFaultError as fault:
        equal(fault.code, DISABLED, "fault")
        return
    raise AssertionError("it was not refused")


@check(STATE + ": pywinrm runs a command")
def _():
    session = winrm.Session(HTTP, auth=(USER, PASSWORD), transport="ntlm", message_encryption="always")
    if STATE == "on":
        equal(session.run_cmd("echo", ["hello"]).std_out.strip(), b"hello")
        return
    try:
        session.run_cmd("echo", ["hello"])
    except Exception as error:
        if str(DISABLED) not in repr(error) + str(error) + str(vars(error)):
            raise AssertionError("not the documented fault: %r" % error) from error
        return
    raise AssertionError("it was not refused")


@check(STATE + ": pypsrp reads the configuration")
def _():
    def read():
        with wsman() as w:
            w.invoke(WSManAction.GET, CONFIG, None)

    read() if STATE == "on" else refused(read)


@check(STATE + ": a PowerShell shell is answered as the switch says")
def _():
    def shell():
        with wsman() as w, RunspacePool(w) as pool:
            PowerShell(pool).add_script("1").invoke()

    if STATE == "off":
        refused(shell)
        return
    try:
        shell()
    except WSManFaultError as fault:  # where there is no pwsh
        if fault.code == DISABLED:
            raise


@check(STATE + ": impacket queries over DCOM")
def _():
    connection = DCOMConnection(HOST if PORT == "135" else "%s[%s]" % (HOST, PORT), USER, PASSWORD, "", authLevel=RPC_C_AUTHN_LEVEL_PKT_PRIVACY, oxidResolver=True)
    try:
        login = wmi.IWbemLevel1Login(connection.CoCreateInstanceEx(wmi.CLSID_WbemLevel1Login, wmi.IID_IWbemLevel1Login))
        services = login.NTLMLogin("//./root/cimv2", NULL, NULL)
        login.RemRelease()
        row = services.ExecQuery("SELECT Name FROM Win32_OperatingSystem").Next(0xFFFFFFFF, 1)[0]
        equal(bool(row.getProperties()["Name"]["value"]), True)
    finally:
        connection.disconnect()


finished()
