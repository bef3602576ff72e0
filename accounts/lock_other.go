//go:build !unix || solaris || aix

package accounts

// lockDir has no lock of the folder to take on this system: the last of two processes that write at the same
// time wins.
func lockDir(string) (func(), error) { return func() {}, nil }

// syncDir does nothing where folders cannot be made durable by themselves.
func syncDir(string) error { return nil }
