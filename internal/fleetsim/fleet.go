package fleetsim

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net"
	"net/netip"
	"net/url"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/service"
)

// Kind is how a host behaves.
type Kind string

// The kinds of hosts.
const (
	Healthy  Kind = "healthy"
	Refusing Kind = "refusing" // nothing listens
	Silent   Kind = "silent"   // connections are taken and never answered
	Slow     Kind = "slow"     // each answer waits for Options.Delay
	Garbage  Kind = "garbage"  // answers with octets that are no HTTP
	Endless  Kind = "endless"  // an HTTP answer whose body does not end
	Flooding Kind = "flooding" // a healthy host whose lists of instances do not end
	Failing  Kind = "failing"  // a healthy host with errors of a disk in its log
	Full     Kind = "full"     // a healthy host with 4 % of its disk C: left
)

// MaxHosts is how many loopback addresses a fleet may take.
const MaxHosts = 50_000

// Options make a Fleet.
type Options struct {
	// Hosts is how many there are, 1 to MaxHosts.
	Hosts int
	// Dead is the share, 0 to 1, of hosts that are Refusing or Silent, in turns;
	// the others are the shares of the kinds of these names. What is left is
	// Healthy. The kinds are spread evenly, and are the same in each run.
	Dead, Slow, Garbage, Endless, Flooding, Failing, Full float64
	// Delay is how long a slow host waits. Default: 2 s.
	Delay time.Duration
	// Port is the port of every host. Default: a free one of each.
	Port uint16
	// TLS has the hosts serve https, with one certificate for all. Default: http.
	TLS bool
	// Logger takes what the hosts log. Default: nowhere.
	Logger *slog.Logger `json:"-"`
}

// Host is one simulated host.
type Host struct {
	Name string // HOST00001, as its own classes tell it
	URL  string // http://127.96.0.1:5985/wsman
	Kind Kind
}

// Fleet are running hosts.
type Fleet struct {
	Hosts          []Host
	User, Password string // the built-in Administrator of every host
	Thumbprint     string // SHA-256 of the certificate, hexadecimal

	o       Options
	dir     string
	state   *service.State
	objects *objects
	shared  shared
	cancel  context.CancelFunc

	mu   sync.Mutex
	ends map[int]func() // of the hosts that run, by number
}

// Start starts the hosts, which run until ctx ends or Close is called; Close is to
// be called in any case. Loopback addresses other than 127.0.0.1 must be usable
// without being configured, as on Linux.
func Start(ctx context.Context, o Options) (_ *Fleet, err error) {
	if o.Hosts < 1 || o.Hosts > MaxHosts {
		return nil, fmt.Errorf("fleetsim: %d hosts: there can be 1 to %d", o.Hosts, MaxHosts)
	}
	kinds, err := o.kinds()
	if err != nil {
		return nil, err
	}
	if o.Delay == 0 {
		o.Delay = 2 * time.Second
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	f := &Fleet{o: o, ends: map[int]func(){}}
	ctx, f.cancel = context.WithCancel(ctx)
	defer func() {
		if err != nil {
			err = errors.Join(err, f.Close())
		}
	}()
	if err := f.prepare(); err != nil {
		return nil, fmt.Errorf("fleetsim: %w", err)
	}
	f.Hosts = make([]Host, o.Hosts)
	for n, kind := range kinds {
		if err := f.start(ctx, n, kind); err != nil {
			return nil, fmt.Errorf("fleetsim: host %d of %d: %w", n+1, o.Hosts, err)
		}
	}
	return f, nil
}

// prepare makes what all hosts share.
func (f *Fleet) prepare() (err error) {
	if f.dir, err = os.MkdirTemp("", "fleetsim-"); err != nil {
		return err
	}
	if f.state, err = service.OpenState(f.dir, service.StateOptions{Create: true, Service: true, Logger: f.o.Logger}); err != nil {
		return err
	}
	made, err := f.state.Bootstrap(service.BootstrapOptions{HTTP: "127.0.0.1:0", HTTPS: "127.0.0.1:0"})
	if err != nil {
		return err
	}
	f.User, f.Password, f.Thumbprint = made.User, made.Password, made.Thumbprint
	if f.objects, err = newObjects(f.o.Logger); err != nil {
		return err
	}
	f.shared, err = newShared(f.state, f.o.TLS)
	return err
}

// base is the address before that of the first host.
var base = netip.AddrFrom4([4]byte{127, 96, 0, 0})

// addressOf is the loopback address of a host, counted from 0. The last octet is
// 1 to 250, so that none looks like a network or a broadcast.
func addressOf(n int) netip.Addr {
	a := base.As4()
	a[1] += byte(n / 250 / 250)
	a[2] += byte(n / 250 % 250)
	a[3] = byte(n%250 + 1)
	return netip.AddrFrom4(a)
}

// start starts one host; one that ran before gets the port that it had.
func (f *Fleet) start(ctx context.Context, n int, kind Kind) error {
	port := f.o.Port
	if u, err := url.Parse(f.Hosts[n].URL); err == nil && u.Host != "" {
		port = netip.MustParseAddrPort(u.Host).Port()
	}
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp4", netip.AddrPortFrom(addressOf(n), port).String())
	if err != nil {
		return err
	}
	h := Host{Name: fmt.Sprintf("HOST%05d", n+1), URL: "http://" + l.Addr().String() + "/wsman", Kind: kind}
	if f.o.TLS {
		h.URL = "https://" + l.Addr().String() + "/wsman"
	}
	f.Hosts[n] = h
	switch kind {
	case Refusing:
		return l.Close()
	case Silent: // the kernel takes the connections
		f.onClose(n, func() { _ = l.Close() })
	case Garbage:
		f.onClose(n, serve(l, talkGarbage))
	case Endless:
		f.onClose(n, serve(l, talkEndlessly))
	case Slow:
		l = &slowListener{Listener: l, delay: f.o.Delay}
		fallthrough
	default:
		return f.serve(ctx, n, l)
	}
	return nil
}

func (f *Fleet) onClose(n int, end func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.ends[n] = end
}

// Kill ends a host at once, in the middle of what it does, and leaves its port
// closed.
func (f *Fleet) Kill(name string) error {
	n, err := f.number(name)
	if err != nil {
		return err
	}
	f.mu.Lock()
	end := f.ends[n]
	delete(f.ends, n)
	f.mu.Unlock()
	if end != nil {
		end()
	}
	return nil
}

// Revive starts a host again that was killed, at its old address. Its services are
// as they were.
func (f *Fleet) Revive(ctx context.Context, name string) error {
	n, err := f.number(name)
	if err != nil {
		return err
	}
	f.objects.provider.hold(name, false)
	return f.start(ctx, n, f.Hosts[n].Kind)
}

// Hold lets a host take what its services are told and never answer, until it is
// killed.
func (f *Fleet) Hold(name string) error {
	_, err := f.number(name)
	if err == nil {
		f.objects.provider.hold(name, true)
	}
	return err
}

// Stops is how often a service of a host was told to stop.
func (f *Fleet) Stops(host, service string) int {
	p := f.objects.provider
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.stops[host+"/"+cim.Fold(service)]
}

// Log writes an error into the log of a host, with the time of now.
func (f *Fleet) Log(name string) error {
	_, err := f.number(name)
	if err == nil {
		err = f.objects.provider.log(name)
	}
	return err
}

func (f *Fleet) number(name string) (int, error) {
	n := slices.IndexFunc(f.Hosts, func(h Host) bool { return h.Name == name })
	if n < 0 {
		return 0, fmt.Errorf("fleetsim: there is no host %q", name)
	}
	return n, nil
}

// Close ends every host and removes what they kept on disk.
func (f *Fleet) Close() error {
	f.cancel()
	f.mu.Lock()
	ends := f.ends
	f.ends = nil
	f.mu.Unlock()
	var ending sync.WaitGroup
	for _, end := range ends {
		ending.Go(end)
	}
	ending.Wait()
	var errs []error
	if f.objects != nil {
		errs = append(errs, f.objects.Close())
		f.objects = nil
	}
	if f.state != nil {
		errs = append(errs, f.state.Close())
		f.state = nil
	}
	if f.dir != "" {
		errs = append(errs, os.RemoveAll(f.dir))
	}
	return errors.Join(errs...)
}

// kinds is the kind of each host.
func (o Options) kinds() ([]Kind, error) {
	kinds := make([]Kind, o.Hosts)
	left := o.Hosts
	for _, share := range []struct {
		of    float64
		kinds []Kind
	}{
		{o.Dead, []Kind{Refusing, Silent}}, {o.Slow, []Kind{Slow}}, {o.Garbage, []Kind{Garbage}},
		{o.Endless, []Kind{Endless}}, {o.Flooding, []Kind{Flooding}}, {o.Failing, []Kind{Failing}}, {o.Full, []Kind{Full}},
	} {
		if !(share.of >= 0 && share.of <= 1) {
			return nil, fmt.Errorf("fleetsim: a share of %v: it is 0 to 1", share.of)
		}
		count := int(math.Ceil(share.of * float64(o.Hosts)))
		if left -= count; left < 0 {
			return nil, errors.New("fleetsim: the shares are more than all hosts")
		}
		for n := range count {
			at := n * o.Hosts / count
			for kinds[at] != "" {
				at = (at + 1) % o.Hosts
			}
			kinds[at] = share.kinds[n%len(share.kinds)]
		}
	}
	for n := range kinds {
		if kinds[n] == "" {
			kinds[n] = Healthy
		}
	}
	return kinds, nil
}
