package service

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"strconv"
	"sync"

	"github.com/casementhq/casement/settings"
)

// ResolverPort is where clients of DCOM look for the endpoint mapper, the object
// resolver and the activator.
const ResolverPort = 135

// DCOMStatus tells where WMI over DCOM is served now.
type DCOMStatus struct {
	Resolver string // host:port of the endpoint mapper and activator; "" where it is not served
	WMI      string // host:port of WMI itself
	Level    uint32 // the least authentication level of a call
	// Err says why it is not served though it should be.
	Err error
}

// dcomHost is the half of the service that is reached over DCOM. It is served on
// two ports while ctx of serve lasts, EnableDCOM is Y, an address is configured
// and nobody has stopped it. The port of WMI, its authentication level and
// DCOMBindings count when it starts; the rest is followed live.
type dcomHost struct {
	state  *State
	log    *slog.Logger
	listen func(ctx context.Context, network, address string) (net.Listener, error)
	off    bool
	port   string // of the resolver
	had    string // the free port that the resolver had, which its clients know
	// protocol serves the two ports until it is closed.
	protocol func(p dcomPorts) (io.Closer, error)

	mu        sync.Mutex
	following bool // serve has begun and not ended
	stopped   bool // by set
	open      *dcomOpen
	err       error // why it is not open
}

// dcomPorts are the two ports and what counts from the start of WMI.
type dcomPorts struct {
	Address       string // that is listened on, * for all
	Resolver, WMI net.Listener
	Level         uint32 // the least authentication level of a call
}

type dcomOpen struct {
	dcomPorts
	serving io.Closer
}

// newDCOMHost makes the half; port is 0 for ResolverPort and negative for a free
// one.
func newDCOMHost(state *State, o Options, protocol func(dcomPorts) (io.Closer, error)) *dcomHost {
	h := &dcomHost{state: state, log: o.Logger, listen: o.Listen, off: o.NoDCOM, protocol: protocol, port: strconv.Itoa(ResolverPort)}
	switch {
	case o.DCOMPort > 0:
		h.port = strconv.Itoa(o.DCOMPort)
	case o.DCOMPort < 0:
		h.port = "0"
	}
	if h.listen == nil {
		var lc net.ListenConfig
		h.listen = lc.Listen
	}
	return h
}

// serve begins to follow the configuration and gives the function that ends it.
func (h *dcomHost) serve(ctx context.Context) (end func() error) {
	changes, unsubscribe := h.state.Hive.Subscribe()
	ctx, cancel := context.WithCancel(ctx)
	h.mu.Lock()
	h.following = true
	h.reconcile(ctx)
	h.mu.Unlock()
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			select {
			case <-ctx.Done():
				return
			case <-changes:
				h.mu.Lock()
				h.reconcile(ctx)
				h.mu.Unlock()
			}
		}
	}()
	return func() error {
		cancel()
		<-done
		unsubscribe()
		h.mu.Lock()
		defer h.mu.Unlock()
		h.following = false
		return h.close()
	}
}

// reconcile opens or closes the ports as the configuration has it now. What
// could not be opened is tried again with the next change.
func (h *dcomHost) reconcile(ctx context.Context) {
	d := h.state.Snapshot().DCOM
	want := d.Address
	if h.off || !d.Enabled || h.stopped || !h.following {
		want = ""
	}
	if h.open != nil && h.open.Address != want {
		if err := h.close(); err != nil {
			h.log.Warn("WMI over DCOM did not end well", "error", err)
		}
		h.log.Info("WMI over DCOM has ended")
	}
	if want == "" {
		h.err = nil
	}
	if want == "" || h.open != nil {
		return
	}
	before := h.err
	if h.err = h.start(ctx, want, d.WMI); h.err != nil && (before == nil || before.Error() != h.err.Error()) {
		h.log.Warn("WMI over DCOM is not served", "error", h.err)
	}
}

// start opens both ports on an address.
func (h *dcomHost) start(ctx context.Context, address string, app settings.WMIApplication) (err error) {
	host := address
	if host == "*" {
		host = ""
	}
	p := dcomPorts{Address: address, Level: app.Level}
	defer func() {
		if err != nil {
			err = errors.Join(err, p.close())
		}
	}()
	if p.Resolver, err = h.resolver(ctx, host); err != nil {
		return h.explain(err)
	}
	if p.WMI, err = h.listen(ctx, "tcp", net.JoinHostPort(host, strconv.Itoa(int(app.Port)))); err != nil {
		return fmt.Errorf("listen on port %d, the endpoint of the WMI application: %w", app.Port, err)
	}
	serving, err := h.protocol(p)
	if err != nil {
		return err
	}
	h.open = &dcomOpen{p, serving}
	h.log.Info("listening", "address", p.Resolver.Addr(), "protocol", "DCOM", "wmi", p.WMI.Addr(), "level", p.Level)
	if p.Level < 4 {
		h.log.Warn("calls of WMI over DCOM need not be protected one by one", "level", p.Level)
	}
	return nil
}

// resolver listens on the resolver's port. A free one stays the same while the
// service runs, unless another program has taken it since.
func (h *dcomHost) resolver(ctx context.Context, host string) (net.Listener, error) {
	if h.port == "0" && h.had != "" {
		if l, err := h.listen(ctx, "tcp", net.JoinHostPort(host, h.had)); err == nil {
			return l, nil
		}
	}
	l, err := h.listen(ctx, "tcp", net.JoinHostPort(host, h.port))
	if err == nil {
		_, h.had, err = net.SplitHostPort(l.Addr().String())
	}
	return l, err
}

// explain says what to do about a resolver's port that cannot be had.
func (h *dcomHost) explain(err error) error {
	switch {
	case errors.Is(err, fs.ErrPermission):
		err = fmt.Errorf("this user may not listen on port %s, where clients of DCOM look: %w; start it as root, or --dcom-port 0 takes another port", h.port, err)
	case taken(err):
		err = fmt.Errorf("port %s, where clients of DCOM look, is taken by another program: %w; --dcom-port 0 takes another port", h.port, err)
	}
	return err
}

func (p dcomPorts) close() error {
	var errs []error
	for _, l := range []net.Listener{p.Resolver, p.WMI} {
		if l != nil {
			if err := l.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
				errs = append(errs, err)
			}
		}
	}
	return errors.Join(errs...)
}

// close closes what is open.
func (h *dcomHost) close() error {
	o := h.open
	if o == nil {
		return nil
	}
	h.open = nil
	return errors.Join(o.serving.Close(), o.close())
}

// errDCOMNoService says that nothing can be started or stopped.
var errDCOMNoService = errors.New("no service runs with this state folder: 'casement up' or 'casement serve' starts one")

// set starts or stops WMI over DCOM. changed is false where it is so already.
func (h *dcomHost) set(ctx context.Context, run bool) (changed bool, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.following {
		return false, errDCOMNoService
	}
	changed = run != (h.open != nil)
	h.stopped = !run
	h.reconcile(ctx)
	if run && h.open == nil {
		if h.err == nil {
			return false, errors.New("it is switched off (--no-dcom), EnableDCOM is not Y, or no address is configured to listen on (DCOMAddress)")
		}
		return false, h.err
	}
	return changed, nil
}

// status tells where it is served.
func (h *dcomHost) status() DCOMStatus {
	h.mu.Lock()
	defer h.mu.Unlock()
	s := DCOMStatus{Err: h.err}
	if h.open != nil {
		s.Resolver, s.WMI, s.Level = h.open.Resolver.Addr().String(), h.open.dcomPorts.WMI.Addr().String(), h.open.Level
	}
	return s
}
