package console

import (
	"errors"
	"time"

	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/pool"
)

// parseFilter reads the filter of the table of servers, which is the pool's own.
func parseFilter(q string) (func(e Entry, now time.Time) bool, error) {
	f, err := pool.ParseFilter(q)
	var known *cim.Error
	if errors.As(err, &known) {
		err = &problem{Text: "This is no filter: " + known.Detail + "."}
	}
	return func(e Entry, now time.Time) bool { return f.Match(e.Entry, now) }, err
}
