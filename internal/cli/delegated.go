package cli

import (
	"context"

	"github.com/casementhq/casement/internal/secondhop"
)

// delegatedAccount is who handed credentials over for the remote shell that this
// command runs in, nobody outside of one.
func delegatedAccount(ctx context.Context) (account, error) {
	d, err := secondhop.Take(ctx)
	if d == nil {
		return account{}, err
	}
	defer d.Wipe()
	return account{d.Credentials.Username, d.Credentials.Password}, err
}
