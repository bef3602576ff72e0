//go:build !linux

package host

import "time"

// platformSources are the classes that can be filled without /proc and /sys.
var platformSources = []source{processTable, localTimeTable, utcTimeTable}

// fileSources are the classes of NewFiles.
var fileSources []source

func newSystem() system { return system{} }

func birthTime(string) (time.Time, bool) { return time.Time{}, false }

// bootDevices are not known here.
func (p *Provider) bootDevices() (root, boot string) { return "", "" }
