package console

import (
	"context"

	"github.com/casementhq/casement"
	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/console/internal/machine"
)

// usersData is what the tab Users shows.
type usersData struct {
	Users  []machine.User
	Groups []machine.Group
}

func (c *Console) loadUsers(ctx context.Context, _ *request, _ Entry, conn *casement.Connection) (any, bool, error) {
	var d usersData
	var cut bool
	err := session(ctx, conn, "", func(s cim.Session) (err error) {
		d.Users, d.Groups, cut, err = machine.Accounts(ctx, s)
		return err
	})
	return d, cut, err
}
