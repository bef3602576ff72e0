"""impacket, unpatched: the endpoint mapper, the management interface, the OXID resolver, and WMI over DCOM."""

import contextlib
import io
import os
import subprocess
import time

from impacket.dcerpc.v5 import epm, mgmt, transport
from impacket.dcerpc.v5.dcom import wmi
from impacket.dcerpc.v5.dcomrt import INTERFACE, DCOMConnection, IObjectExporter
from impacket.dcerpc.v5.dtypes import NULL
from impacket.dcerpc.v5.rpcrt import (
    RPC_C_AUTHN_LEVEL_CONNECT,
    RPC_C_AUTHN_LEVEL_PKT_INTEGRITY,
    RPC_C_AUTHN_LEVEL_PKT_PRIVACY,
)
from impacket.uuid import bin_to_uuidtup

from peer import PASSWORD, USER, check, equal, finished, meminfo, os_release

HOST, _, PORT = os.environ["CASEMENT_DCOM"].rpartition(":")
TARGET = HOST if PORT == "135" else "%s[%s]" % (HOST, PORT)
LEVELS = {"integrity": RPC_C_AUTHN_LEVEL_PKT_INTEGRITY, "privacy": RPC_C_AUTHN_LEVEL_PKT_PRIVACY}

FORWARD_AND_IMMEDIATELY = 0x30

# Twenty classes that any Linux host can fill, each with a property that is never NULL.
CLASSES = {
    "Win32_OperatingSystem": "Caption",
    "Win32_ComputerSystem": "Name",
    "Win32_Process": "ProcessId",
    "Win32_Processor": "DeviceID",
    "Win32_LogicalDisk": "DeviceID",
    "Win32_NetworkAdapter": "DeviceID",
    "Win32_NetworkAdapterConfiguration": "Index",
    "Win32_UserAccount": "Name",
    "Win32_Group": "Name",
    "Win32_TimeZone": "Bias",
    "Win32_UTCTime": "Year",
    "Win32_LocalTime": "Year",
    "Win32_PerfRawData_PerfOS_Memory": "AvailableBytes",
    "Win32_PerfRawData_PerfOS_Processor": "Name",
    "Win32_PerfRawData_PerfOS_System": "Processes",
    "Win32_PerfRawData_Tcpip_NetworkInterface": "Name",
    "Win32_IP4RouteTable": "Destination",
    "__Namespace": "Name",
    "__Win32Provider": "Name",
    "CIM_LogicalDisk": "DeviceID",  # its instances are of a derived class
}
if os.environ.get("CASEMENT_PEER") == "short":  # for who looks at the wire
    CLASSES = {name: prop for name, prop in CLASSES.items() if name not in ("Win32_Process", "__Win32Provider")}


def login(level, namespace="//./root/cimv2", user=USER, password=PASSWORD, activation=RPC_C_AUTHN_LEVEL_PKT_PRIVACY):
    connection = DCOMConnection(TARGET, user, password, "", authLevel=activation, oxidResolver=True)
    try:
        unknown = connection.CoCreateInstanceEx(wmi.CLSID_WbemLevel1Login, wmi.IID_IWbemLevel1Login)
        first = wmi.IWbemLevel1Login(unknown)
        services = first.NTLMLogin(namespace, NULL, NULL)
        services.get_dce_rpc().set_auth_level(level)
        first.RemRelease()
    except Exception:
        with contextlib.suppress(KeyError):  # of a connection that was never made
            connection.disconnect()
        raise
    return connection, services


def made(of, octets):
    """An interface out of an answer to a call of another one."""
    return INTERFACE(of.get_cinstance(), b"".join(octets), of.get_ipidRemUnknown(), oxid=of.get_oxid(), target=of.get_target())


def rows(enumerator, most=10**6, batch=1):
    """Everything that an enumerator gives, as dictionaries of values."""
    found = []
    while len(found) < most:
        last = None
        try:
            objects = enumerator.Next(0xFFFFFFFF, batch)
        except Exception as end:  # of S_FALSE it makes an exception that has the last objects
            if "S_FALSE" not in str(end):
                raise
            last = end.get_packet()
            objects = [wmi.IWbemClassObject(made(enumerator, o["abData"])) for o in last["apObjects"]]
        for one in objects:
            found.append({name: about["value"] for name, about in one.getProperties().items()})
        if last is not None:
            break
    enumerator.RemRelease()
    return found


def fails(call, *codes):
    """Runs a call that has to fail with one of the codes or names in its text."""
    try:
        call()
    except Exception as error:
        if any(code.lower() in str(error).lower() for code in codes):
            return str(error)
        raise
    raise AssertionError("it succeeded; %s was expected" % " or ".join(codes))


def bound(interface, level=None):
    rpc = transport.DCERPCTransportFactory("ncacn_ip_tcp:%s[%s]" % (HOST, PORT))
    if level is not None:
        rpc.set_credentials(USER, PASSWORD, "")
    dce = rpc.get_dce_rpc()
    if level is not None:
        dce.set_auth_level(level)
    dce.connect()
    if interface:
        dce.bind(interface)
    return dce


@check("the endpoint mapper lists its endpoints")
def endpoints():
    dce = bound(None)  # hept_lookup binds
    entries = epm.hept_lookup(None, dce=dce)
    if not entries:
        raise AssertionError("no entry")
    bindings = {epm.PrintStringBinding(e["tower"]["Floors"]) for e in entries}
    dce.disconnect()
    return sorted(bindings)


@check("rpcmap finds the interfaces of port 135")
def interfaces():
    dce = bound(mgmt.MSRPC_UUID_MGMT)
    answer = mgmt.hinq_if_ids(dce)
    vector = answer["if_id_vector"]
    found = {bin_to_uuidtup(vector["if_id"][i]["Data"].getData())[0].lower() for i in range(vector["count"])}
    dce.disconnect()
    for name, uuid in {
        "IObjectExporter": "99fcfec4-5260-101b-bbcb-00aa0021347a",
        "IRemoteSCMActivator": "000001a0-0000-0000-c000-000000000046",
        "IActivation": "4d9f4ab8-7d1c-11cf-861e-0020af6e7c57",
        "epmapper": "e1af8308-5d1f-11c9-91a4-08002b14a0fa",
    }.items():
        if uuid not in found:
            raise AssertionError("%s is missing among %s" % (name, sorted(found)))


for name, level in {"connect": RPC_C_AUTHN_LEVEL_CONNECT, **LEVELS}.items():

    @check("rpcmap signs in with NTLM at %s" % name)
    def signed_in():
        dce = bound(mgmt.MSRPC_UUID_MGMT, level)
        equal(mgmt.his_server_listening(dce)["status"], 0, "status")
        dce.disconnect()


@check("the OXID resolver answers ServerAlive2 without authentication")
def alive():
    connection = DCOMConnection(TARGET, USER, PASSWORD, "")
    bindings = IObjectExporter(connection.get_dce_rpc()).ServerAlive2()
    connection.disconnect()
    if not any(b["wTowerId"] == 7 for b in bindings):
        raise AssertionError("no TCP binding")
    return [b["aNetworkAddr"] for b in bindings]


@check("a wrong password is refused")
def wrong_password():
    return fails(lambda: login(RPC_C_AUTHN_LEVEL_PKT_PRIVACY, password=PASSWORD + "x"), "access_denied", "0x5", "logon_failure")


@check("a namespace that does not exist is 0x8004100e")
def no_namespace():
    return fails(lambda: login(RPC_C_AUTHN_LEVEL_PKT_PRIVACY, namespace="//./root/nowhere"), "8004100e", "INVALID_NAMESPACE")


@check("activation below integrity is refused")
def low_activation():
    return fails(lambda: login(RPC_C_AUTHN_LEVEL_PKT_PRIVACY, activation=RPC_C_AUTHN_LEVEL_CONNECT), "access_denied", "0x5", "80070005")


for name, level in LEVELS.items():
    connection, services = login(level)

    @check("20 classes at %s" % name)
    def classes():
        counts = {}
        for cls, prop in CLASSES.items():
            found = rows(services.ExecQuery("SELECT * FROM " + cls), batch=20)
            counts[cls] = len(found)
            if not found:
                raise AssertionError("%s has no instance" % cls)
            for row in found:
                if row[prop] is None:
                    raise AssertionError("%s.%s is NULL" % (cls, prop))
        return counts

    @check("facts agree with the host at %s" % name)
    def facts():
        system = rows(services.ExecQuery("SELECT * FROM Win32_OperatingSystem"))[0]
        equal(system["Caption"], os_release()["PRETTY_NAME"], "Caption")
        equal(int(system["TotalVisibleMemorySize"]), meminfo("MemTotal"), "TotalVisibleMemorySize")
        mine = rows(services.ExecQuery("SELECT ProcessId, Name, ParentProcessId FROM Win32_Process WHERE ProcessId = %d" % os.getpid()))
        equal([int(p["ParentProcessId"]) for p in mine], [os.getppid()], "parent of this process")

    connection.disconnect()

@check("calls at connect are refused")
def low_call():
    return fails(lambda: login(RPC_C_AUTHN_LEVEL_CONNECT), "access_denied")  # the release of the login object is the first one


connection, services = login(RPC_C_AUTHN_LEVEL_PKT_PRIVACY)


@check("a batch of processes is the host's list")
def batches():
    found = {int(r["ProcessId"]) for r in rows(services.ExecQuery("SELECT ProcessId FROM Win32_Process"), batch=50)}
    here = {int(n) for n in os.listdir("/proc") if n.isdigit()}
    if os.getpid() not in found or len(found ^ here) > 20:
        raise AssertionError("differ by %s" % sorted(found ^ here))


@check("an instance is read by its path")
def by_path():
    one, _ = services.GetObject('Win32_Process.Handle="%d"' % os.getpid())
    equal(int(one.getProperties()["ProcessId"]["value"]), os.getpid(), "ProcessId")
    fails(lambda: services.GetObject('Win32_Process.Handle="999999999"'), "NOT_FOUND", "80041002")


@check("a class and its methods are read")
def a_class():
    one, _ = services.GetObject("Win32_Process")
    methods = set(one.getMethods())
    if not {"Create", "Terminate", "GetOwner"} <= methods:
        raise AssertionError(sorted(methods))


@check("a method of an instance is run")
def owner():
    import pwd

    one, _ = services.GetObject('Win32_Process.Handle="%d"' % os.getpid())
    out = one.GetOwner()
    equal(out.ReturnValue, 0, "ReturnValue")
    equal(out.User, pwd.getpwuid(os.getuid()).pw_name, "User")


@check("a static method with arguments is run")
def registry():
    _, there = login(RPC_C_AUTHN_LEVEL_PKT_PRIVACY, namespace="//./root/default")
    cls, _ = there.GetObject("StdRegProv")
    out = cls.EnumKey(0x80000002, "SOFTWARE")
    equal(out.ReturnValue, 0, "ReturnValue")
    if "Microsoft" not in out.sNames:
        raise AssertionError(out.sNames)


@check("classes are enumerated")
def subclasses():
    names = set()
    with contextlib.redirect_stdout(io.StringIO()):  # it prints what it gets
        answer = services.CreateClassEnum("CIM_LogicalDevice")
    enumerator = wmi.IEnumWbemClassObject(made(services, answer["ppEnum"]["abData"]), services)
    while True:
        try:
            names.add(enumerator.Next(0xFFFFFFFF, 1)[0].getClassName())
        except Exception as end:
            if "S_FALSE" not in str(end):
                raise
            break
    if "Win32_Processor" not in names and "CIM_Processor" not in names:
        raise AssertionError(sorted(names))


@check("instances are enumerated, reset and skipped")
def reset():
    with contextlib.redirect_stdout(io.StringIO()):
        enumerator = services.CreateInstanceEnum("Win32_LogicalDisk")
    first = enumerator.Next(0xFFFFFFFF, 1)[0].getProperties()["DeviceID"]["value"]
    with contextlib.redirect_stdout(io.StringIO()):  # it prints what it gets
        enumerator.Reset()
    again = enumerator.Next(0xFFFFFFFF, 1)[0].getProperties()["DeviceID"]["value"]
    equal(again, first, "first after Reset")
    enumerator.RemRelease()


@check("a query that is wrong says so")
def wrong_query():
    fails(lambda: rows(services.ExecQuery("SELEC * FROM Win32_Process")), "INVALID_QUERY", "80041017")
    fails(lambda: rows(services.ExecQuery("SELECT * FROM NoSuchClass")), "INVALID_CLASS", "80041010")


@check("a notification query gives the event of a process that starts")
def notification():
    enumerator = services.ExecNotificationQuery(
        "SELECT * FROM __InstanceCreationEvent WITHIN 1 WHERE TargetInstance ISA 'Win32_Process' AND TargetInstance.Name = 'sleep'",
        FORWARD_AND_IMMEDIATELY,
    )
    time.sleep(1.5)
    child = subprocess.Popen(["sleep", "7"])
    try:
        until = time.monotonic() + 30
        while time.monotonic() < until:
            try:
                event = enumerator.Next(2000, 1)[0]
            except Exception as quiet:
                if "TIMEDOUT" in str(quiet) or "40004" in str(quiet):
                    continue
                raise
            target = event.TargetInstance.getProperties()
            if int(target["ProcessId"]["value"]) == child.pid:
                return
        raise AssertionError("no event within 30 s")
    finally:
        child.kill()
        child.wait()
        enumerator.RemRelease()


@check("an instance is written, read, written again and deleted")
def write():
    _, there = login(RPC_C_AUTHN_LEVEL_PKT_PRIVACY, namespace="//./root/subscription")
    path = '__EventFilter.Name="of impacket"'

    def put(text):
        cls, _ = there.GetObject("__EventFilter")
        one = cls.SpawnInstance()
        one.Name, one.EventNamespace, one.QueryLanguage, one.Query = "of impacket", "root\\cimv2", "WQL", text
        with contextlib.redirect_stdout(io.StringIO()):
            unit = one.marshalMe()
        equal(there.PutInstance(unit).GetCallStatus(-1), 0, "PutInstance")
        return there.GetObject(path)[0].getProperties()

    for wanted in ("SELECT * FROM __TimerEvent", "SELECT * FROM __InstanceOperationEvent WITHIN 60 WHERE TargetInstance ISA 'Win32_LogicalDisk'"):
        equal(put(wanted)["Query"]["value"], wanted, "Query")
    equal(there.DeleteInstance(path).GetCallStatus(-1), 0, "DeleteInstance")
    fails(lambda: there.GetObject(path), "NOT_FOUND", "80041002")


connection.disconnect()
finished()
