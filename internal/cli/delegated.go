package cli

import (
	"context"
	"fmt"
	"os"

	"github.com/casementhq/casement/internal/secondhop"
)

// delegatedAccount is who handed credentials over for the remote shell that this
// command runs in, nobody outside of one. Tickets that were handed over become
// those of this process, where it has no others.
func delegatedAccount(ctx context.Context) (account, error) {
	d, err := secondhop.Take(ctx)
	if d == nil {
		return account{}, err
	}
	defer d.Wipe()
	if len(d.CCache) > 0 && os.Getenv("KRB5CCNAME") == "" {
		if err := useTickets(d.CCache); err != nil {
			return account{}, fmt.Errorf("use the tickets that the remote shell was given: %w", err)
		}
	}
	return account{d.Credentials.Username, d.Credentials.Password}, err
}
