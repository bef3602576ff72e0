"""pypsrp 0.9.1: WS-Management operations against a running service."""

import grp
import os
import pwd
import socket
import time
import xml.etree.ElementTree as ET

from pypsrp.exceptions import WSManFaultError
from pypsrp.wsman import NAMESPACES, OptionSet, SelectorSet, WSManAction

import peer
from peer import CONFIG, WMI, check, equal, local, properties

WSEN, WSMAN, WSA = NAMESPACES["wsen"], NAMESPACES["wsman"], NAMESPACES["wsa"]
WSMB = "http://schemas.dmtf.org/wbem/wsman/1/cimbinding.xsd"
WSMID = "http://schemas.dmtf.org/wbem/wsman/identity/1/wsmanidentity.xsd"

client = peer.wsman()


def enumeration(uri, *content, **more):
    return peer.enumeration(client, uri, *content, **more)


def query(text, uri=WMI + "*"):
    return peer.query(client, text, uri)


def selectors(**values):
    s = SelectorSet()
    for name, value in values.items():
        s.add_option(name, value)
    return s


def fault(code, action, *args, **kwargs):
    try:
        action(*args, **kwargs)
    except WSManFaultError as error:
        if code is not None:
            equal(error.code, code, "WSManFault code")
        return "%s %s" % (error.code, error.message)
    raise AssertionError("no fault came")


def cmdline(pid):
    with open("/proc/%s/cmdline" % pid, "rb") as f:
        return f.read().split(b"\0")[:-1]


@check("Identify")
def _():
    envelope = '<s:Envelope xmlns:s="%s" xmlns:i="%s"><s:Header/><s:Body><i:Identify/></s:Body></s:Envelope>' % (NAMESPACES["s"], WSMID)
    body = ET.fromstring(client.transport.send(envelope.encode())).find(".//{%s}IdentifyResponse" % WSMID)
    equal(body.findtext("{%s}ProtocolVersion" % WSMID), "http://schemas.dmtf.org/wbem/wsman/1/wsman.xsd")
    version = body.findtext("{%s}ProductVersion" % WSMID)
    if not version.startswith("OS: ") or version.startswith("OS: 0.0.0 "):
        raise AssertionError(version)
    return version


@check("Enumerate Win32_OperatingSystem tells the host's truth")
def _():
    items, _ = enumeration(WMI + "Win32_OperatingSystem")
    equal(len(items), 1, "instances")
    got = properties(items[0])
    equal(got["Caption"], peer.os_release()["PRETTY_NAME"], "Caption")
    equal(got["CSName"], socket.gethostname(), "CSName")
    equal(got["OSType"], "36", "OSType")
    equal(int(got["TotalVisibleMemorySize"]), peer.meminfo("MemTotal"), "TotalVisibleMemorySize")
    free, available = int(got["FreePhysicalMemory"]), peer.meminfo("MemAvailable")
    if abs(free - available) > available // 5:
        raise AssertionError("FreePhysicalMemory %d, MemAvailable %d" % (free, available))
    return str(sorted(got))


@check("Get Win32_Process by its key finds this very process")
def _():
    got = properties(client.get(WMI + "Win32_Process", selector_set=selectors(Handle=str(os.getpid())))[0])
    equal(got["ProcessId"], str(os.getpid()), "ProcessId")
    equal(got["ParentProcessId"], str(os.getppid()), "ParentProcessId")
    equal(os.path.basename(__file__) in got["CommandLine"], True, "CommandLine %r" % got["CommandLine"])
    return got["CommandLine"]


@check("selector names and class names are case-blind")
def _():
    got = properties(client.get(WMI.replace("cimv2", "CIMV2") + "win32_process", selector_set=selectors(HANDLE=str(os.getpid())))[0])
    equal(got["ProcessId"], str(os.getpid()))


@check("Enumerate and Pull of Win32_Process in batches of 3 hold every process that lives")
def _():
    before = {p for p in os.listdir("/proc") if p.isdigit()}
    items, answers = enumeration(WMI + "Win32_Process", maximum=3)
    after = {p for p in os.listdir("/proc") if p.isdigit()}
    got = {properties(i)["Handle"] for i in items}
    equal(sorted((before & after) - got), [], "processes that are missing")
    if answers < len(items) / 3:
        raise AssertionError("%d instances in %d answers of at most 3" % (len(items), answers))


@check("a Pull takes no more than MaxBatchItems, and an idle enumeration is dropped")
def _():
    request = ET.Element("{%s}Enumerate" % WSEN)
    pull = ET.Element("{%s}Pull" % WSEN)
    place = ET.SubElement(pull, "{%s}EnumerationContext" % WSEN)
    ET.SubElement(pull, "{%s}MaxElements" % WSEN).text = "100"
    peer.configure(CONFIG, MaxBatchItems="2")
    peer.configure(CONFIG + "/service", EnumerationTimeoutms="500")
    try:
        place.text = client.enumerate(WMI + "Win32_Process", request)[0].findtext("{%s}EnumerationContext" % WSEN)
        answer = client.pull(WMI + "Win32_Process", pull)[0]
        equal(len(answer.find("{%s}Items" % WSEN)), 2, "items of a Pull that asks for 100")
        place.text = answer.findtext("{%s}EnumerationContext" % WSEN)
        time.sleep(1)
        fault(0x8033801B, client.pull, WMI + "Win32_Process", pull)
    finally:
        peer.configure(CONFIG, MaxBatchItems="32000")
        peer.configure(CONFIG + "/service", EnumerationTimeoutms="240000")


@check("optimised enumeration")
def _():
    items, answers = enumeration(WMI + "Win32_OperatingSystem", optimize=True, maximum=50)
    equal((len(items), answers), (1, 1))


@check("WQL with a projection and a condition, properties in alphabetical order")
def _():
    items = query("select ParentProcessId, Handle from Win32_Process where Handle = '%d'" % os.getpid())
    equal([[(local(c.tag), c.text) for c in i] for i in items], [[("Handle", str(os.getpid())), ("ParentProcessId", str(os.getppid()))]])


@check("a selector filter")
def _():
    f = ET.Element("{%s}Filter" % WSMAN, Dialect="http://schemas.dmtf.org/wbem/wsman/1/wsman/SelectorFilter")
    s = ET.SubElement(f, "{%s}SelectorSet" % WSMAN)
    ET.SubElement(s, "{%s}Selector" % WSMAN, Name="Handle").text = str(os.getpid())
    equal([properties(i)["Handle"] for i in enumeration(WMI + "Win32_Process", f)[0]], [str(os.getpid())])


def association(kind, target, **what):
    """An association filter. See [MS-WSMV] 3.1.4.1.13 and DSP0227."""
    f = ET.Element("{%s}Filter" % WSMAN, Dialect="http://schemas.dmtf.org/wbem/wsman/1/cimbinding/associationFilter")
    e = ET.SubElement(f, "{%s}%s" % (WSMB, kind))
    o = ET.SubElement(e, "{%s}Object" % WSMB)
    ET.SubElement(o, "{%s}Address" % WSA).text = "http://schemas.xmlsoap.org/ws/2004/08/addressing/role/anonymous"
    p = ET.SubElement(o, "{%s}ReferenceParameters" % WSA)
    ET.SubElement(p, "{%s}ResourceURI" % WSMAN).text = WMI + target[0]
    s = ET.SubElement(p, "{%s}SelectorSet" % WSMAN)
    for name, value in target[1].items():
        ET.SubElement(s, "{%s}Selector" % WSMAN, Name=name).text = value
    for name, value in what.items():
        ET.SubElement(e, "{%s}%s" % (WSMB, name)).text = value
    return enumeration(WMI + "*", f)[0]


@check("an association filter gives the groups of a user")
def _():
    user = pwd.getpwuid(0)
    groups = {g.gr_name for g in grp.getgrall() if g.gr_gid == user.pw_gid or user.pw_name in g.gr_mem}
    there = ("Win32_UserAccount", {"Name": user.pw_name, "Domain": properties(query("select Domain from Win32_UserAccount where Name = '%s'" % user.pw_name)[0])["Domain"]})
    found = association("AssociatedInstances", there, AssociationClassName="Win32_GroupUser", ResultClassName="Win32_Group")
    equal({(local(i.tag), properties(i)["Name"]) for i in found}, {("Win32_Group", g) for g in groups})
    links = association("AssociationInstances", there, ResultClassName="Win32_GroupUser", Role="PartComponent")
    equal([local(i.tag) for i in links], ["Win32_GroupUser"] * len(groups))


@check("EPR mode gives EPRs that Get follows")
def _():
    items, _ = enumeration(WMI + "Win32_OperatingSystem", mode="EnumerateEPR")
    equal([local(i.tag) for i in items], ["EndpointReference"])
    s = SelectorSet()
    for selector in items[0].iter("{%s}Selector" % WSMAN):
        s.add_option(selector.get("Name"), selector.text)
    uri = items[0].find(".//{%s}ResourceURI" % WSMAN).text
    equal(properties(client.get(uri, selector_set=s)[0])["CSName"], socket.gethostname())


@check("object and EPR mode gives both")
def _():
    items, _ = enumeration(WMI + "Win32_OperatingSystem", mode="EnumerateObjectAndEPR")
    equal([local(i.tag) for i in items], ["Item"])
    equal(sorted(local(c.tag) for c in items[0]), ["EndpointReference", "Win32_OperatingSystem"])


@check("Invoke Win32_Process.Create starts a process, Terminate ends it")
def _():
    uri = WMI + "Win32_Process"
    request = ET.Element("{%s}Create_INPUT" % uri)
    ET.SubElement(request, "{%s}CommandLine" % uri).text = "/bin/sleep 300"
    answer = client.invoke(uri + "/Create", uri, request).find("s:Body", NAMESPACES)[0]
    got = properties(answer)
    equal(got["ReturnValue"], "0")
    deadline = time.monotonic() + 5
    while (now := cmdline(got["ProcessId"])) != [b"/bin/sleep", b"300"] and time.monotonic() < deadline:
        time.sleep(0.01)  # a shell reads the command line, and becomes the program
    equal(now, [b"/bin/sleep", b"300"], "arguments of process %s" % got["ProcessId"])
    request = ET.Element("{%s}Terminate_INPUT" % uri)
    ET.SubElement(request, "{%s}Reason" % uri).text = "0"
    answer = client.invoke(uri + "/Terminate", uri, request, selector_set=selectors(Handle=got["ProcessId"])).find("s:Body", NAMESPACES)[0]
    equal(properties(answer)["ReturnValue"], "0")


@check("Invoke Win32_Process.Create of an unknown program returns 9")
def _():
    uri = WMI + "Win32_Process"
    request = ET.Element("{%s}Create_INPUT" % uri)
    ET.SubElement(request, "{%s}CommandLine" % uri).text = "/no/such/program"
    got = properties(client.invoke(uri + "/Create", uri, request).find("s:Body", NAMESPACES)[0])
    equal((got["ReturnValue"], got.get("ProcessId")), ("9", None))


@check("unknown class: fault 2150858752")
def _():
    return fault(2150858752, client.get, WMI + "Win32_NoSuchClass", selector_set=selectors(Name="x"))


@check("unknown instance: a fault")
def _():
    return fault(None, client.get, WMI + "Win32_Process", selector_set=selectors(Handle="99999999"))


@check("WQL on a class URI: fault 0x803380FB")
def _():
    return fault(0x803380FB, query, "select * from Win32_Process", WMI + "Win32_Process")


@check("broken WQL: a fault, and the connection lives on")
def _():
    detail = fault(None, query, "selec * frum Win32_Process")
    equal(len(enumeration(WMI + "Win32_OperatingSystem")[0]), 1)
    return detail


@check("an alias on the wire is a fault")
def _():
    return fault(None, client.get, "wmicimv2/Win32_OperatingSystem")


# See [MS-WSMV] 3.1.4.1.10, product behaviour notes 50 and 52: classes take any option.
@check("an option that must be understood and is not: a fault from a shell, taken by a class")
def _():
    options = OptionSet()
    options.add_option("NoSuchOption", "1", {"MustComply": "true"})
    got = properties(client.get(WMI + "Win32_Process", option_set=options, selector_set=selectors(Handle=str(os.getpid())))[0])
    equal(got["ProcessId"], str(os.getpid()), "a class")
    shell = ET.Element("{%s}Shell" % NAMESPACES["rsp"])
    ET.SubElement(shell, "{%s}OutputStreams" % NAMESPACES["rsp"]).text = "stdout stderr"
    return fault(None, client.create, "http://schemas.microsoft.com/wbem/wsman/1/windows/shell/cmd", shell, option_set=options)


@check("the configuration reads with documented names")
def _():
    config = client.get(CONFIG)[0]
    equal(local(config.tag), "Config")
    names = [local(c.tag) for c in config]
    for name in ("MaxEnvelopeSizekb", "MaxTimeoutms", "MaxBatchItems", "MaxProviderRequests", "Client", "Service", "Winrs"):
        if name not in names:
            raise AssertionError("%s is not in %s" % (name, names))
    return str(names)


@check("update_max_payload_size reads 500 kB")
def _():
    size = int(client.get_server_config().findtext("cfg:Config/cfg:MaxEnvelopeSizekb", namespaces=NAMESPACES))
    equal(size, 500)
    client.update_max_payload_size()


@check("Put changes a setting and Get shows it")
def _():
    peer.configure(Basic="true")
    peer.configure(Basic="false")


@check("the listener is enumerated")
def _():
    items, _ = enumeration(CONFIG + "/listener")
    ports = {properties(i)["Transport"]: properties(i)["Port"] for i in items}
    want = {"HTTP": str(client.transport.port), "HTTPS": peer.HTTPS.rpartition(":")[2].partition("/")[0]}
    equal(ports, want)


@check("MaxTimeoutms 499 is refused, nothing changes")
def _():
    namespace = CONFIG
    body = ET.Element("{%s}Config" % namespace)
    ET.SubElement(body, "{%s}MaxTimeoutms" % namespace).text = "499"
    return fault(None, client.invoke, WSManAction.PUT, CONFIG, body)


client.close()
peer.finished()
