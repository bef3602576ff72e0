//go:build unix

package wsmanbench

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strconv"
	"time"

	"github.com/casementhq/casement/auth"
	"github.com/casementhq/casement/settings"
	"github.com/casementhq/casement/wsman/wsmanclient"
)

// run is what a client process tells of its work.
type run struct {
	Wall, CPU time.Duration
	Mallocs   uint64
	MaxRSS    int64
}

// counter counts output.
type counter int64

func (c *counter) Write(p []byte) (int, error) {
	*c += counter(len(p))
	return len(p), nil
}

func environ(name string) int {
	n, err := strconv.Atoi(os.Getenv("CASEMENT_BENCH_" + name))
	if err != nil {
		fmt.Fprintln(os.Stderr, name, err)
		os.Exit(2)
	}
	return n
}

// runClient is our client's side of the comparison with masterzen/winrm:
// COMMANDS commands of SIZE bytes of output each, every one in a shell of its
// own, after one that is not counted.
func runClient() {
	size, chunk, commands := environ("SIZE"), environ("CHUNK"), environ("COMMANDS")
	c, err := newClient(server{os.Getenv("CASEMENT_BENCH_URL"), os.Getenv("CASEMENT_BENCH_USER"), os.Getenv("CASEMENT_BENCH_PASSWORD")},
		os.Getenv("CASEMENT_BENCH_SEALED") == "1")
	if err == nil {
		err = oneCommand(c, 16, 16)
	}
	before, began := used(), time.Now()
	for range commands {
		if err == nil {
			err = oneCommand(c, size, chunk)
		}
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	took, after := time.Since(began), used()
	_ = json.NewEncoder(os.Stdout).Encode(run{took, after.CPU - before.CPU, after.Mallocs - before.Mallocs, after.MaxRSS})
}

func oneCommand(c *wsmanclient.Client, size, chunk int) error {
	ctx := context.Background()
	shell, err := c.CreateShell(ctx, wsmanclient.ShellOptions{})
	if err != nil {
		return err
	}
	var n counter
	code, err := shell.Run(ctx, wsmanclient.CommandOptions{Command: fmt.Sprintf("output %d %d", size, chunk), Stdout: &n}, nil)
	if err == nil && (int(n) != size || code != 0) {
		err = fmt.Errorf("%d bytes and code %d instead of %d", n, code, size)
	}
	return errors.Join(err, shell.Close(ctx))
}

// newClient makes our client, which seals with NTLM or sends in the clear with
// Basic.
func newClient(s server, sealed bool) (*wsmanclient.Client, error) {
	o := wsmanclient.Options{Credentials: auth.Credentials{Username: s.User, Password: s.Password}, Scheme: wsmanclient.Negotiate}
	if !sealed {
		set := settings.Client{AllowUnencrypted: true, NetworkDelayms: 5000, URLPrefix: "wsman", Auth: settings.Auth{Basic: true}}
		o.Scheme, o.Unencrypted = wsmanclient.Basic, true
		o.Settings = func() *settings.Client { return &set }
	}
	return wsmanclient.New(s.URL, o)
}
