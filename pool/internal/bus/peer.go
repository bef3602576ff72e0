package bus

import (
	"fmt"
	"net"
	"os"

	"github.com/casementhq/casement/internal/peercred"
)

// checkPeer refuses who is neither this user nor root.
func checkPeer(c net.Conn) error {
	uid, err := peercred.UID(c)
	if err != nil {
		return err
	}
	return allowPeer(uid, os.Geteuid())
}

func allowPeer(uid uint32, own int) error {
	if uid != 0 && own != 0 && int(uid) != own {
		return fmt.Errorf("the other end is of the user with the number %d", uid)
	}
	return nil
}
