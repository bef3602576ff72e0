package doctor

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/casementhq/casement/wsman"
	"github.com/casementhq/casement/wsman/wsmanclient"
)

// There is room for one more shell. What is full is told with the code that the
// next one would get. See spec/winrm.md 6.
func init() {
	register(check{id: "winrm.quota", layer: LayerQuota, title: "The quotas have room", transport: "winrm", needs: []string{"winrm.identify"}, degrades: true, run: winrmQuota})
}

// maxShells bounds how many shells are counted.
const maxShells = 1000

func winrmQuota(ctx context.Context, x *examination) found {
	c, err := x.readConfig(ctx)
	if err != nil {
		return found{outcome: Info, detail: "the host's quotas are for its administrators to read", seen: []string{err.Error()}}
	}
	if !c.Winrs.AllowRemoteShellAccess {
		f := fail(wsman.CodeRemoteShellsNotAllowed, "shells are switched off there (AllowRemoteShellAccess)")
		f.outcome = Info
		return f
	}
	n, err := x.countShells(ctx)
	if err != nil {
		return found{outcome: Info, detail: "its shells cannot be counted", seen: []string{err.Error()}}
	}
	text := fmt.Sprintf("%d shells open, %d permitted (MaxShellsPerUser)", n, c.Winrs.MaxShellsPerUser)
	switch limit := c.Winrs.MaxShellsPerUser; {
	case limit > 0 && n >= int(limit):
		return fail(wsman.CodeQuotaMaxShells, text)
	case limit > 0 && n*5 >= int(limit)*4:
		return found{outcome: Warn, detail: text}
	}
	return found{detail: fmt.Sprintf("%d of %d shells", n, c.Winrs.MaxShellsPerUser), seen: []string{text, fmt.Sprintf("MaxConcurrentOperationsPerUser %d", c.Service.MaxConcurrentOperationsPerUser)}}
}

// countShells counts the account's shells.
func (x *examination) countShells(ctx context.Context) (int, error) {
	e, err := x.winrm.signed.client.Enumerate(ctx, wsman.EPR{ResourceURI: wsman.ResourceShell}, wsmanclient.EnumerateOptions{})
	if err != nil {
		return 0, err
	}
	defer e.Close() //nolint:errcheck // what matters was read
	for n := 0; ; n++ {
		if _, err := e.Next(ctx); err != nil || n >= maxShells {
			if endOf(err) {
				err = nil
			}
			return n, err
		}
	}
}

func endOf(err error) bool { return errors.Is(err, io.EOF) }
