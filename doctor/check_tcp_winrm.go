package doctor

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/casementhq/casement/wsman"
)

// The port of WinRM takes connections: not refused, not silent.
func init() {
	register(check{id: winrmPort, layer: LayerPort, title: "WinRM's port answers", transport: "winrm", needs: []string{"route"}, run: tcpWinRM})
}

// portFacts are what is known of a port.
type portFacts struct {
	address string // that answered, "" for none
	refused bool   // somebody said no; else it is silent
	// others are ports of the machine that answer or refuse where this one does neither.
	open, closed []string
}

// otherPortsTime is the time that one of the other ports has to answer.
const otherPortsTime = time.Second

func tcpWinRM(ctx context.Context, x *examination) found {
	port := x.target.port()
	took, address, err := x.connect(ctx, port)
	p := &x.winrm.port
	var seen []string
	if err == nil {
		p.address = address
		f := found{detail: fmt.Sprintf("%d ms", took.Milliseconds())}
		if port != defaultPort && port != defaultTLSPort {
			f.outcome = Info
			f.detail = fmt.Sprintf("port %s, %d ms: not WinRM's own, so that Server Manager and tools that are not told do not reach it", port, took.Milliseconds())
		}
		return f
	}
	p.refused = isErrno(err, syscall.ECONNREFUSED, 10061)
	p.open, p.closed = x.knockElsewhere(context.WithoutCancel(ctx), port)
	for _, o := range p.open {
		seen = append(seen, "port "+o+" answers")
	}
	for _, c := range p.closed {
		seen = append(seen, "port "+c+" is refused")
	}
	seen = append(seen, err.Error())
	at := net.JoinHostPort(x.target.host(), port)
	switch {
	case p.refused:
		f := fail(wsman.CodeHTTPServiceUnavailable, at+" refused: nothing listens there"+x.beside())
		f.seen = seen
		return f
	case errors.Is(err, context.DeadlineExceeded), isTimeout(err):
		f := fail(wsman.CodeNetworkTimedOut, fmt.Sprintf("%s silent for %s%s", at, took.Round(100*time.Millisecond), x.beside()))
		f.seen = seen
		return f
	}
	f := fail(wsman.CodeDestinationUnreachable, at+": "+reason(err)+x.beside())
	f.seen = seen
	return f
}

// beside names the other ports that answer.
func (x *examination) beside() string {
	open := x.winrm.port.open
	if len(open) == 0 {
		return ""
	}
	verb := " answers at once"
	if len(open) > 1 {
		verb = " answer at once"
	}
	return "; " + strings.Join(open, " and ") + verb
}

func isTimeout(err error) bool {
	var t net.Error
	return errors.As(err, &t) && t.Timeout()
}

// reason is the innermost text of an error of the network.
func reason(err error) string {
	var op *net.OpError
	if errors.As(err, &op) {
		return op.Err.Error()
	}
	return err.Error()
}

// connect tries the addresses of the machine beside each other and gives the one
// that answered first. Of several errors a refusal tells most.
func (x *examination) connect(ctx context.Context, port string) (took time.Duration, address string, err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	start := time.Now()
	list := []string{net.JoinHostPort(x.target.host(), port)}
	if len(x.addresses) > 0 {
		list = nil
		for _, a := range x.addresses {
			list = append(list, net.JoinHostPort(a.String(), port))
		}
	}
	errs := make([]error, len(list))
	var mu sync.Mutex
	var all sync.WaitGroup
	for n, to := range list {
		all.Go(func() {
			c, err := x.dial(ctx, to)
			mu.Lock()
			defer mu.Unlock()
			if errs[n] = err; err != nil {
				return
			}
			c.Close() //nolint:errcheck // nothing was sent
			if address == "" {
				address, took = to, time.Since(start)
				cancel()
			}
		})
	}
	all.Wait()
	if address != "" {
		return took, address, nil
	}
	if n := slices.IndexFunc(errs, func(e error) bool { return isErrno(e, syscall.ECONNREFUSED, 10061) }); n >= 0 {
		return time.Since(start), "", errs[n]
	}
	return time.Since(start), "", errs[0]
}

// knockElsewhere tries the ports that tell a machine that is off from a firewall, and a
// listener that was moved. It ends soon.
func (x *examination) knockElsewhere(ctx context.Context, but string) (open, closed []string) {
	ctx, cancel := context.WithTimeout(ctx, x.options.scaled(otherPortsTime))
	defer cancel()
	ports := []string{defaultPort, defaultTLSPort, "80", "443", "135", "445"}
	found := make([]error, len(ports))
	var all sync.WaitGroup
	for n, p := range ports {
		if p == but {
			found[n] = context.DeadlineExceeded
			continue
		}
		all.Go(func() { _, _, found[n] = x.connect(ctx, p) })
	}
	all.Wait()
	for n, p := range ports {
		switch {
		case found[n] == nil:
			open = append(open, p)
		case isErrno(found[n], syscall.ECONNREFUSED, 10061):
			closed = append(closed, p)
		}
	}
	return open, closed
}
