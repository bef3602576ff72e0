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
}

func newSystem() system {
	return system{statFS: statFS, links: nl.Links, addresses: nl.Addresses, gateways: nl.Gateways}
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
