package cli

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// useTickets makes a credential cache that was handed over this process's default one. It is a file of memory
// that ends with the process.
func useTickets(cache []byte) error {
	fd, err := unix.MemfdCreate("casement-tickets", unix.MFD_CLOEXEC)
	if err != nil {
		return os.NewSyscallError("memfd_create", err)
	}
	name := fmt.Sprintf("/proc/self/fd/%d", fd)
	if err := os.WriteFile(name, cache, 0o600); err != nil {
		unix.Close(fd) //nolint:errcheck // the first error tells more
		return err
	}
	return os.Setenv("KRB5CCNAME", "FILE:"+name)
}
