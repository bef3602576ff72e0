package cli

import "golang.org/x/sys/windows"

// echoOff returns how to switch the echo of a console off, nil for a stream
// that is none.
func echoOff(stream any) func() (func(), error) {
	fd, ok := terminal(stream)
	if !ok {
		return nil
	}
	return func() (func(), error) {
		console := windows.Handle(fd)
		var before uint32
		if err := windows.GetConsoleMode(console, &before); err != nil {
			return nil, err
		}
		if err := windows.SetConsoleMode(console, before&^windows.ENABLE_ECHO_INPUT); err != nil {
			return nil, err
		}
		return func() { _ = windows.SetConsoleMode(console, before) }, nil
	}
}

// consoleCodePage is the code page of the console's output.
func consoleCodePage() uint32 {
	page, err := windows.GetConsoleOutputCP()
	if err != nil {
		return 65001
	}
	return page
}
