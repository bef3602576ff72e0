//go:build !linux && !windows

package cli

import "errors"

// echoOff returns how to switch the echo of a terminal off, nil for a stream
// that is none.
func echoOff(stream any) func() (func(), error) {
	if _, ok := terminal(stream); !ok {
		return nil
	}
	return func() (func(), error) {
		return nil, errors.New("it cannot be done on this system; leave /noecho out")
	}
}

// consoleCodePage is the code page of the streams: UTF-8.
func consoleCodePage() uint32 { return 65001 }
