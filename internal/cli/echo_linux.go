package cli

import (
	"golang.org/x/sys/unix"
)

// echoOff returns how to switch the echo of a terminal off, nil for a stream
// that is none.
func echoOff(stream any) func() (func(), error) {
	fd, ok := terminal(stream)
	if !ok {
		return nil
	}
	return func() (func(), error) {
		before, err := unix.IoctlGetTermios(fd, unix.TCGETS)
		if err != nil {
			return nil, err
		}
		quiet := *before
		quiet.Lflag &^= unix.ECHO
		if err := unix.IoctlSetTermios(fd, unix.TCSETS, &quiet); err != nil {
			return nil, err
		}
		return func() { _ = unix.IoctlSetTermios(fd, unix.TCSETS, before) }, nil
	}
}

// consoleCodePage is the code page of the streams: UTF-8.
func consoleCodePage() uint32 { return 65001 }
