package pool

import (
	"context"
	"slices"
	"strings"

	"github.com/casementhq/casement/cim"
)

// gatherDisks asks for the volumes on disks of the machine.
func gatherDisks(ctx context.Context, c *collection) error {
	disks := []Disk{}
	err := c.each(ctx, tileLimit, "SELECT DeviceID, VolumeName, FileSystem, Size, FreeSpace FROM Win32_LogicalDisk WHERE DriveType = 3", 512, func(i *cim.Instance) {
		d := Disk{Name: textOf(i, "DeviceID"), Label: textOf(i, "VolumeName"), FileSystem: textOf(i, "FileSystem"), Size: numberOf(i, "Size")}
		d.Free = min(numberOf(i, "FreeSpace"), d.Size)
		disks = append(disks, d)
	})
	if err != nil {
		return err
	}
	slices.SortStableFunc(disks, func(a, b Disk) int { return strings.Compare(a.Name, b.Name) })
	c.next.Disks = disks
	return nil
}
