package host

import (
	"time"

	"golang.org/x/sys/unix"

	"github.com/casementhq/casement/providers/host/internal/nl"
)

// platformSources are the classes that can be filled on Linux.
var platformSources = []source{
	osTable, computerTable, productTable, biosTable, processorTable, processTable, serviceTable, dependentServiceTable,
	diskTable, adapterTable, configurationTable, userTable, groupTable, groupUserTable, softwareTable, zoneTable,
	localTimeTable, utcTimeTable,

	driveTable, partitionTable, driveToPartitionTable, diskToPartitionTable, volumeTable, mappedDiskTable,
	pageFileUsageTable, pageFileSettingTable, encryptableVolumeTable,
	storageDiskTable, physicalDiskTable, storageVolumeTable,

	perfProcessorTable, perfMemoryTable, perfSystemTable, perfPhysicalDiskTable, perfLogicalDiskTable, perfProcessTable,
	perfInterfaceTable, perfTCPTable,
	formatted("PerfOS_Processor", "Name"), formatted("PerfOS_Memory"), formatted("PerfOS_System"),
	formatted("PerfDisk_PhysicalDisk", "Name"), formatted("PerfDisk_LogicalDisk", "Name"),
	formatted("PerfProc_Process", "Name", "IDProcess", "ElapsedTime"),
	formatted("Tcpip_NetworkInterface", "Name"), formatted("Tcpip_TCPv4"),

	logonSessionTable, loggedOnUserTable, profileTable, shareTable, environmentTable, startupCommandTable, scheduledJobTable,
	eventTable, eventLogFileTable, printerTable, wmiSettingTable,
	quickFixTable, serverFeatureTable, optionalFeatureTable, licensingTable,
	enclosureTable, boardTable, moduleTable, arrayTable, cacheTable, batteryTable, thermalTable,
	netAdapterTable, routeTable, pingTable,
	pnpTable, driverTable, videoTable, kernelModuleTable, adapterSettingTable, moduleLocationTable, driverOfDeviceTable,
}

// fileSources are the classes of NewFiles.
var fileSources = []source{dataFileTable, directoryTable, containsFileTable, subDirectoryTable}

func newSystem() system {
	return system{statFS: statFS, links: nl.Links, addresses: nl.Addresses, gateways: nl.Gateways, routes: nl.Routes, processes: nl.WatchProcesses, mountsChange: mountsChange, ping: ping, uptime: uptime}
}

func uptime() time.Duration {
	var t unix.Timespec
	_ = unix.ClockGettime(unix.CLOCK_BOOTTIME, &t) // fails only for a clock that does not exist
	return time.Duration(t.Nano())
}

func statFS(path string) (fileSystem, error) {
	var s unix.Statfs_t
	if err := unix.Statfs(path, &s); err != nil {
		return fileSystem{}, err
	}
	block := uint64(s.Frsize)
	if block == 0 {
		block = uint64(s.Bsize)
	}
	return fileSystem{
		blockSize: block, blocks: uint64(s.Blocks), available: uint64(s.Bavail), nameLength: uint64(s.Namelen),
	}, nil
}

// birthTime is when a file was made, where its file system knows.
func birthTime(path string) (time.Time, bool) {
	var s unix.Statx_t
	err := unix.Statx(unix.AT_FDCWD, path, unix.AT_SYMLINK_NOFOLLOW, unix.STATX_BTIME, &s)
	// An image that was built without times has a birth at the beginning of time: nobody knows it then.
	if err != nil || s.Mask&unix.STATX_BTIME == 0 || s.Btime.Sec <= 0 {
		return time.Time{}, false
	}
	return time.Unix(s.Btime.Sec, int64(s.Btime.Nsec)), true
}
