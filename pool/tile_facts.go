package pool

import (
	"context"
	"fmt"
	"math"
	"net/netip"
	"time"

	"github.com/casementhq/casement/cim"
)

// gatherFacts asks what the machine is: two questions, of which the first is needed.
func gatherFacts(ctx context.Context, c *collection) error {
	f := &Facts{}
	begin := c.now()
	err := c.one(ctx, "SELECT Caption, Version, OSType, ProductType, CSName, LastBootUpTime, LocalDateTime, CurrentTimeZone, TotalVisibleMemorySize, SerialNumber FROM Win32_OperatingSystem",
		func(i *cim.Instance) {
			f.OS, f.Version, f.ComputerName = textOf(i, "Caption"), textOf(i, "Version"), textOf(i, "CSName")
			f.ProductID = textOf(i, "SerialNumber")
			f.Windows = numberOf(i, "OSType") == osTypeWindows
			f.ProductType = uint32(min(numberOf(i, "ProductType"), 9))
			f.Memory = kilobytes(numberOf(i, "TotalVisibleMemorySize"))
			if t, ok := momentOf(i, "LastBootUpTime"); ok {
				f.Booted = t.UTC()
			}
			if t, ok := momentOf(i, "LocalDateTime"); ok {
				f.ClockOffset = offset(t, begin, c.now())
			}
			if m, ok := signedOf(i, "CurrentTimeZone"); ok {
				f.TimeZone = zone(m)
			}
		})
	if err != nil {
		return err
	}
	c.next.Facts = f
	if onlyFacts(f) {
		return nil
	}
	return c.one(ctx, "SELECT Name, DNSHostName, Domain, PartOfDomain, Model, Manufacturer, NumberOfLogicalProcessors, TotalPhysicalMemory FROM Win32_ComputerSystem",
		func(i *cim.Instance) {
			if name := textOf(i, "DNSHostName"); name != "" {
				f.ComputerName = name
			} else if name := textOf(i, "Name"); name != "" {
				f.ComputerName = name
			}
			f.Domain, f.InDomain = textOf(i, "Domain"), flagOf(i, "PartOfDomain")
			f.Model, f.Manufacturer = textOf(i, "Model"), textOf(i, "Manufacturer")
			f.Processors = int(min(numberOf(i, "NumberOfLogicalProcessors"), 1<<16))
			if n := numberOf(i, "TotalPhysicalMemory"); n > 0 {
				f.Memory = n
			}
		})
}

func kilobytes(n uint64) uint64 {
	if n > math.MaxUint64>>10 {
		return 0
	}
	return n << 10
}

// offset is how far a clock is ahead of ours in seconds, to a tenth: it was read
// somewhere between two moments.
func offset(theirs, from, to time.Time) *float64 {
	d := theirs.Sub(from.Add(to.Sub(from) / 2)).Seconds()
	d = math.Round(d*10) / 10
	return &d
}

// zone names an offset from UTC in minutes: UTC+05:30.
func zone(minutes int64) string {
	if minutes < -24*60 || minutes > 24*60 {
		return ""
	}
	sign := '+'
	if minutes < 0 {
		sign, minutes = '-', -minutes
	}
	return fmt.Sprintf("UTC%c%02d:%02d", sign, minutes/60, minutes%60)
}

// gatherAddresses asks for the addresses of adapters that have some.
func gatherAddresses(ctx context.Context, c *collection) error {
	var all []string
	err := c.each(ctx, tileLimit, "SELECT IPAddress FROM Win32_NetworkAdapterConfiguration WHERE IPEnabled = TRUE", 512, func(i *cim.Instance) {
		for _, s := range listOf(i, "IPAddress") {
			if a, err := netip.ParseAddr(s); err == nil && !a.IsLoopback() && !a.IsLinkLocalUnicast() && len(all) < 64 {
				all = append(all, a.String())
			}
		}
	})
	if err == nil && c.next.Facts != nil {
		c.next.Facts.Addresses = all
	}
	return err
}
