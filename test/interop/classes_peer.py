"""pypsrp 0.9.1 and pywinrm 0.5.0: each of the classes of spec/wmi.md 8.2, compared with the host's own tools."""

import collections
import ipaddress
import json
import pwd
import re
import shutil
import subprocess
import uuid
import xml.etree.ElementTree as ET

from pypsrp.exceptions import WSManFaultError
from winrm.protocol import Protocol

import peer
from peer import HTTP, PASSWORD, USER, WMI, WSEN, Absent, Skip, check, equal, local, properties

BASE = "http://schemas.microsoft.com/wbem/wsman/1/wmi/"
SOAP, WSA, WSMAN = "http://www.w3.org/2003/05/soap-envelope", "http://schemas.xmlsoap.org/ws/2004/08/addressing", peer.WSMAN

# The rows of the table, by namespace. A class that needs a bounding WHERE stands below.
CLASSES = {
    "root/cimv2": """
        Win32_OperatingSystem Win32_ComputerSystem Win32_Process Win32_Service Win32_Processor
        Win32_NetworkAdapterConfiguration Win32_NetworkAdapter Win32_LogicalDisk Win32_DiskDrive Win32_Volume Win32_BIOS
        Win32_ComputerSystemProduct Win32_SystemEnclosure Win32_UserAccount Win32_Group Win32_GroupUser Win32_PageFileUsage
        Win32_PageFileSetting Win32_PerfFormattedData_PerfOS_Processor Win32_PerfRawData_PerfOS_Processor
        Win32_PerfFormattedData_PerfOS_Memory Win32_PerfRawData_PerfOS_Memory Win32_PerfFormattedData_PerfOS_System
        Win32_PerfRawData_PerfOS_System Win32_PerfFormattedData_PerfDisk_PhysicalDisk Win32_PerfRawData_PerfDisk_PhysicalDisk
        Win32_PerfFormattedData_PerfDisk_LogicalDisk Win32_PerfRawData_PerfDisk_LogicalDisk
        Win32_PerfFormattedData_PerfProc_Process Win32_PerfRawData_PerfProc_Process
        Win32_PerfFormattedData_Tcpip_NetworkInterface Win32_PerfRawData_Tcpip_NetworkInterface
        Win32_PerfFormattedData_Tcpip_TCPv4 Win32_PerfRawData_Tcpip_TCPv4 Win32_NTLogEvent Win32_NTEventlogFile Win32_Product
        Win32_QuickFixEngineering Win32_Share Win32_PhysicalMemory Win32_PhysicalMemoryArray Win32_BaseBoard Win32_DiskPartition
        Win32_DiskDriveToDiskPartition Win32_LogicalDiskToPartition Win32_PnPEntity Win32_PnPSignedDriver Win32_VideoController
        Win32_Printer Win32_LogonSession Win32_LoggedOnUser Win32_UserProfile Win32_TimeZone Win32_LocalTime Win32_UTCTime
        Win32_CurrentTime Win32_StartupCommand Win32_ScheduledJob Win32_IP4RouteTable Win32_Environment Win32_DependentService
        Win32_SystemDriver Win32_MappedLogicalDisk Win32_CacheMemory Win32_Battery Win32_ServerFeature Win32_OptionalFeature
        SoftwareLicensingProduct Win32_WMISetting __Win32Provider""",
    "root/cimv2/security/microsoftvolumeencryption": "Win32_EncryptableVolume",
    "root/standardcimv2": "MSFT_NetAdapter MSFT_NetFirewallRule",
    "root/microsoft/windows/storage": "MSFT_PhysicalDisk MSFT_Volume MSFT_Disk",
    "root/wmi": "MSAcpi_ThermalZoneTemperature",
}
BOUNDED = {
    "CIM_DataFile": "SELECT * FROM CIM_DataFile WHERE Name = '/etc/passwd'",
    "Win32_Directory": "SELECT * FROM Win32_Directory WHERE Name = '/etc'",
    "Win32_PingStatus": "SELECT * FROM Win32_PingStatus WHERE Address = '127.0.0.1' AND Timeout = 500",
}
ROWS = [(namespace, name) for namespace, names in CLASSES.items() for name in names.split()]

client = peer.wsman()
plain = Protocol(HTTP, transport="ntlm", username=USER, password=PASSWORD, message_encryption="always")


def rows(name, *names, where=""):
    """Instances of a class as dictionaries."""
    wanted = ", ".join(names) or "*"
    return [properties(i) for i in peer.query(client, "SELECT %s FROM %s%s" % (wanted, name, where and " WHERE " + where))]


def by_pywinrm(uri):
    """Enumerate and Pull with messages of ours that pywinrm signs in, seals and sends; gives the items."""

    def send(action, body):
        envelope = (
            '<s:Envelope xmlns:s="%s" xmlns:a="%s" xmlns:n="%s" xmlns:w="%s"><s:Header><a:To>%s</a:To><a:Action s:mustUnderstand="true">%s/%s</a:Action>'
            '<a:MessageID>uuid:%s</a:MessageID><a:ReplyTo><a:Address>%s/role/anonymous</a:Address></a:ReplyTo><w:ResourceURI s:mustUnderstand="true">%s</w:ResourceURI>'
            "<w:OperationTimeout>PT60S</w:OperationTimeout></s:Header><s:Body>%s</s:Body></s:Envelope>"
        ) % (SOAP, WSA, WSEN, WSMAN, HTTP, WSEN, action, uuid.uuid4(), WSA, uri, body)
        return ET.fromstring(plain.send_message(envelope)).find("{%s}Body" % SOAP)[0]

    answer, items = send("Enumerate", "<n:Enumerate/>"), []
    while True:
        found = answer.find("{%s}Items" % WSEN)
        items.extend(found if found is not None else ())
        context = answer.findtext("{%s}EnumerationContext" % WSEN)
        if answer.find("{%s}EndOfSequence" % WSEN) is not None or not context:
            return items
        answer = send("Pull", "<n:Pull><n:EnumerationContext>%s</n:EnumerationContext><n:MaxElements>100</n:MaxElements></n:Pull>" % context)


def tool(*argv):
    if not shutil.which(argv[0]):
        raise Absent("%s is not here" % argv[0])
    return subprocess.run(argv, check=True, capture_output=True, text=True).stdout


@check("the table has 64 rows and more")
def _():
    if len(ROWS) + len(BOUNDED) < 64:
        raise AssertionError(len(ROWS))
    return "%d classes" % (len(ROWS) + len(BOUNDED))


for namespace, name in ROWS:

    @check("%s: pypsrp and pywinrm read the same instances" % name)
    def _(namespace=namespace, name=name):
        uri = BASE + namespace + "/" + name
        theirs = peer.enumeration(client, uri)[0]
        ours = by_pywinrm(uri)
        kinds = collections.Counter(local(i.tag) for i in theirs)
        # Processes, connections and the like come and go between two enumerations.
        if name not in ("Win32_Process", "Win32_NTLogEvent") and "PerfProc" not in name and "PnP" not in name:
            equal(collections.Counter(local(i.tag) for i in ours), kinds, "instances by class")
        if theirs and not ours:
            raise AssertionError("pywinrm reads nothing, pypsrp %s" % kinds)
        return dict(kinds) or "defined and empty"


for name, text in BOUNDED.items():

    @check("%s: with a bound one instance, without one refused" % name)
    def _(name=name, text=text):
        try:
            equal(len(peer.query(client, text)), 1, "instances")
        except WSManFaultError as fault:
            if name == "Win32_PingStatus" and fault.code == 5:
                raise Skip("net.ipv4.ping_group_range does not let the service send echo requests")
            raise
        try:
            peer.enumeration(client, WMI + name)
        except Exception as refused:
            return str(refused)
        raise AssertionError("an enumeration of everything was begun")


@check("Win32_Process is what ps shows")
def _():
    def ps():
        lines = tool("ps", "-eo", "pid=,ppid=,comm=").splitlines()
        return {f[0]: (f[1], f[2]) for f in (line.split(None, 2) for line in lines)}

    before = ps()
    ours = {r["Handle"]: r for r in rows("Win32_Process", "Handle", "ParentProcessId", "Name")}
    after = ps()
    for pid in before.keys() & after.keys():
        if before[pid] == after[pid]:
            equal((ours[pid]["ParentProcessId"], ours[pid]["Name"][:15]), (after[pid][0], after[pid][1][:15]), "process %s" % pid)
    return "%d processes" % len(ours)


@check("Win32_LogicalDisk is what df shows")
def _():
    ours = {r["DeviceID"]: r for r in rows("Win32_LogicalDisk", "DeviceID", "Size", "FreeSpace", "FileSystem")}
    seen = 0
    for line in tool("df", "-B1", "--output=target,size,avail,fstype").splitlines()[1:]:
        target, size, free, kind = line.rsplit(None, 3)
        if target in ours and int(size):
            equal((ours[target]["Size"], ours[target]["FileSystem"]), (size, kind), target)
            if abs(int(ours[target]["FreeSpace"]) - int(free)) > int(size) // 50:
                raise AssertionError("%s: %s free, df says %s" % (target, ours[target]["FreeSpace"], free))
            seen += 1
    if not seen:
        raise AssertionError("no file system of df is among %s" % sorted(ours))
    return "%d file systems" % seen


def many(value):
    return [] if value is None else value if isinstance(value, list) else [value]


@check("Win32_NetworkAdapterConfiguration has the addresses of ip")
def _():
    theirs = {
        link["ifindex"]: sorted(a["local"] for a in link.get("addr_info", ()))
        for link in json.loads(tool("ip", "-j", "address"))
    }
    ours = {int(r["InterfaceIndex"]): sorted(many(r.get("IPAddress"))) for r in rows("Win32_NetworkAdapterConfiguration") if r.get("InterfaceIndex")}
    for index, addresses in ours.items():
        equal([str(ipaddress.ip_address(a)) for a in addresses], [str(ipaddress.ip_address(a)) for a in theirs[index]], "interface %d" % index)
    equal(sorted(ours), sorted(i for i in theirs if i in ours), "interfaces")
    if not ours:
        raise AssertionError("no interface")


@check("Win32_IP4RouteTable has the routes of ip")
def _():
    theirs = set()
    for route in json.loads(tool("ip", "-j", "-4", "route", "show", "table", "main")):
        net = ipaddress.ip_network("0.0.0.0/0" if route["dst"] == "default" else route["dst"])
        theirs.add((str(net.network_address), str(net.netmask), route.get("gateway", "0.0.0.0")))
    ours = {(r["Destination"], r["Mask"], r["NextHop"]) for r in rows("Win32_IP4RouteTable", "Destination", "Mask", "NextHop")}
    if not theirs <= ours:
        raise AssertionError("missing %s of %s" % (theirs - ours, ours))
    return "%d routes" % len(ours)


@check("Win32_Product has the packages of dpkg")
def _():
    lines = tool("dpkg-query", "-W", "-f", "${Package} ${Version} ${db:Status-Status}\n").splitlines()
    theirs = sorted((f[0], f[1]) for f in map(str.split, lines) if f[2] == "installed")
    equal(sorted((r["Name"], r["Version"]) for r in rows("Win32_Product", "Name", "Version")), theirs, "packages")
    return "%d packages" % len(theirs)


@check("Win32_Processor is what lscpu shows")
def _():
    theirs = dict(line.split(":", 1) for line in tool("lscpu").splitlines() if ":" in line)
    theirs = {k.strip(): v.strip() for k, v in theirs.items()}
    ours = rows("Win32_Processor")
    equal(len(ours), int(theirs.get("Socket(s)", 1)), "sockets")
    equal(sum(int(r["NumberOfLogicalProcessors"]) for r in ours), int(theirs["CPU(s)"]), "logical processors")
    equal(ours[0]["Name"], theirs["Model name"], "name")
    if theirs.get("Core(s) per socket", "").isdigit():
        equal(int(ours[0]["NumberOfCores"]), int(theirs["Core(s) per socket"]), "cores")


@check("Win32_Service is what systemctl shows")
def _():
    if subprocess.run(["systemctl", "is-system-running"], capture_output=True, text=True).stdout.strip() not in ("running", "degraded"):
        equal(rows("Win32_Service"), [], "services without systemd")
        raise Skip("systemd does not run here: no services, as it should be")
    lines = tool("systemctl", "list-units", "--type=service", "--state=running", "--plain", "--no-legend").splitlines()
    ours = {r["Name"] for r in rows("Win32_Service", "Name", where="State = 'Running'")}
    missing = {line.split()[0] for line in lines} - ours - {n + ".service" for n in ours}
    equal(missing, set(), "running services that are missing")


@check("Win32_UserAccount has the users of getent")
def _():
    ours = {r["Name"] for r in rows("Win32_UserAccount", "Name", where="LocalAccount = TRUE")}
    missing = {u.pw_name for u in pwd.getpwall()} - ours
    # A user that is mapped to an account of the service shows under that account's name.
    if len(missing) > 1:
        raise AssertionError("missing: %s" % missing)
    return "%d accounts" % len(ours)


@check("Win32_DiskDrive is what lsblk shows")
def _():
    theirs = [d for d in json.loads(tool("lsblk", "-J", "-b", "-d", "-o", "NAME,SIZE,TYPE"))["blockdevices"] if d["type"] == "disk" and int(d["size"])]
    ours = rows("Win32_DiskDrive", "Name", "DeviceID", "Size")
    sizes = sorted(int(d["size"]) for d in theirs)
    equal(sorted(int(r["Size"]) for r in ours), sizes, "sizes of disks")
    return "%d disks" % len(ours)


@check("performance counters agree with /proc")
def _():
    with open("/proc/meminfo") as f:
        total = int(re.search(r"MemTotal:\s+(\d+)", f.read()).group(1)) * 1024
    memory = rows("Win32_PerfFormattedData_PerfOS_Memory")[0]
    if not 0 < int(memory["AvailableBytes"]) < total:
        raise AssertionError("%s of %d bytes available" % (memory["AvailableBytes"], total))
    for r in rows("Win32_PerfFormattedData_PerfOS_Processor"):
        if not 0 <= int(r["PercentProcessorTime"]) <= 100:
            raise AssertionError(r)
    with open("/proc/uptime") as f:
        uptime = float(f.read().split()[0])
    ours = float(rows("Win32_PerfFormattedData_PerfOS_System")[0]["SystemUpTime"])
    if abs(ours - uptime) > 5:
        raise AssertionError("up for %s s, /proc/uptime says %s" % (ours, uptime))


peer.finished()
