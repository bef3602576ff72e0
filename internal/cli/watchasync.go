package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"time"

	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/registry"
	"github.com/casementhq/casement/service"
	"github.com/casementhq/casement/settings"
	"github.com/casementhq/casement/wmi/wmiclient"
	"github.com/spf13/cobra"
)

// asyncFlags are those of watch for events that are pushed.
type asyncFlags struct {
	on, anonymous bool
	port          uint16
	unsecapp      bool
	socket        string
}

func (f *asyncFlags) flags(c *cobra.Command) {
	c.Flags().BoolVar(&f.on, "async", false, "over DCOM: have the host push the events, which needs ports here; see above")
	c.Flags().BoolVar(&f.anonymous, "anonymous", false, "with --async: let the host call without proving who it is, where MachineAccessRestriction is not set")
	c.Flags().Uint16Var(&f.port, "sink-port", 0, "with --async: the port that the host calls beside 135 (default: a free one)")
	c.Flags().BoolVar(&f.unsecapp, "unsecapp", false, "with --async: let the 'casement unsecapp' of this machine be called, which decides who may")
	c.Flags().StringVar(&f.socket, "unsecapp-socket", "", "its Unix socket, where that is another one than it takes by itself")
}

const asyncHelp = `

With --async the host calls this machine: port 135, where that can be had, and one more. The firewall
of this machine must let it in ('casement firewall', the rules of the state folder): to 135 by the
group "Windows Management Instrumentation (WMI)", to the other port by a rule for this program. With
--unsecapp it calls 'casement unsecapp', whose ports stay the same and which that group lets in.
In a common domain it calls as its machine account, which this machine verifies with its own keytab
('casement keytab'); a program of another user needs one that it can read. Without one it calls without authentication, which it must permit (AllowAnonymousCallback
1, UnsecAppAccessControlDefault 0) and this machine too: --anonymous, or Remote Access for ANONYMOUS
LOGON in MachineAccessRestriction. Whoever can send from the host's address and guesses random
numbers of 128 bits can then show you events that did not happen. Without --async none of this is
needed.`

// sinks makes what the host calls.
func (f *asyncFlags) sinks(dir string, stderr io.Writer) *wmiclient.Sinks {
	o := f.options(dir, stderr)
	if f.unsecapp {
		o.Unsecapp = findUnsecapp(f.socket)
	}
	return wmiclient.NewSinks(o)
}

// options are those of sinks: who may call, and a word for each reason why one may
// not.
func (f *asyncFlags) options(dir string, stderr io.Writer) wmiclient.SinkOptions {
	var mu sync.Mutex
	said := map[string]bool{}
	rule := &sinkRule{dir: dir, admitted: f.anonymous}
	return wmiclient.SinkOptions{Port: f.port, Firewall: folderFirewall(dir),
		Acceptor: service.SinkAcceptor(dir), Anonymous: rule.check,
		Refused: func(peer net.Addr, err error) {
			mu.Lock()
			defer mu.Unlock()
			if reason := err.Error(); !said[reason] && len(said) < 16 {
				said[reason] = true
				fmt.Fprintf(stderr, "casement: a call from %s is refused: %s%s%s\n", peer, printable(reason), anonymousHint(err), firewallHint(dir, err))
			}
		}}
}

// sinkRule is who may call without authentication, as the state folder has it now,
// or the defaults where there is none. It is read once a second at most: events
// may come faster.
type sinkRule struct {
	dir      string
	admitted bool

	mu   sync.Mutex
	read time.Time
	last error
}

func (r *sinkRule) check() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if time.Since(r.read) < time.Second {
		return r.last
	}
	var reader settings.Reader = registry.NewTree()
	st, err := service.OpenState(r.dir, service.StateOptions{})
	switch {
	case err == nil:
		defer st.Close()
		reader = st.Snapshot().Reader
	case !errors.Is(err, service.ErrNoState):
		r.last, r.read = err, time.Now()
		return err
	}
	r.last, r.read = settings.CheckAnonymousSink(reader, r.admitted), time.Now()
	return r.last
}

// anonymousHint tells how to permit what a descriptor refuses.
func anonymousHint(err error) string {
	var denied *settings.COMAccessError
	if !errors.As(err, &denied) {
		return ""
	}
	c := settings.AnonymousSinks()
	return fmt.Sprintf(" to ANONYMOUS LOGON; --anonymous permits it where that value is not set, or for this machine\n  casement reg add '%s' /v %s /t REG_BINARY /d %x /f", c.Key, c.Name, c.Value.Bytes())
}

// subscriberAsync is a session whose host pushes events.
type subscriberAsync interface {
	SubscribeAsync(ctx context.Context, query string, o cim.SubscribeOptions) (*wmiclient.Async, error)
}

// reachTimeout is how long a host may take to connect before that is remarkable.
const reachTimeout = 8 * time.Second

// subscribe begins to have events pushed. The function ends it, and says what to
// check where the host could not call.
func (f *asyncFlags) subscribe(ctx context.Context, session cim.Session, query string, stderr io.Writer) (cim.Enumerator, error) {
	pusher, ok := session.(subscriberAsync)
	if !ok {
		return nil, usageError("--async is for WMI over DCOM: name the host as dcom://HOST")
	}
	a, err := pusher.SubscribeAsync(ctx, query, cim.SubscribeOptions{})
	if err != nil {
		return nil, err
	}
	fmt.Fprintf(stderr, "casement: the host calls this machine at %s\n", portsOf(a.Ports()))
	p := &pushed{Async: a, done: make(chan struct{}), told: make(chan struct{})}
	go p.remark(stderr)
	return p, nil
}

func portsOf(p wmiclient.SinkPorts) string {
	if p.Resolver == 0 {
		return fmt.Sprintf("port %d", p.Objects)
	}
	return fmt.Sprintf("ports %d and %d", p.Resolver, p.Objects)
}

// pushed are events that are pushed.
type pushed struct {
	*wmiclient.Async
	once       sync.Once
	done, told chan struct{}
}

// remark says that the host has not connected.
func (p *pushed) remark(stderr io.Writer) {
	defer close(p.told)
	t := time.NewTimer(reachTimeout)
	defer t.Stop()
	select {
	case <-t.C:
		fmt.Fprintf(stderr, "casement: the host has not called within %s. %s\n", reachTimeout, p.check())
	case <-p.Reached():
	case <-p.done:
	}
}

// check says what to look at where nothing arrives.
func (p *pushed) check() string {
	reached := "It has not connected: does a firewall here let it in to " + portsOf(p.Ports()) + ", and may it dial out?"
	select {
	case <-p.Reached():
		reached = "It has connected: does a firewall here let it in to port " + fmt.Sprint(p.Ports().Objects) + " too, and may it call without authentication (--anonymous)?"
	default:
	}
	return strings.Join([]string{reached,
		"On the host: are AllowAnonymousCallback 1 and UnsecAppAccessControlDefault 0 (HKLM\\SOFTWARE\\Microsoft\\WBEM\\CIMOM)? Its log names the stage at which it failed.",
		"Without --async nothing has to come in."}, " ")
}

// Close ends the subscription.
func (p *pushed) Close() error {
	p.once.Do(func() { close(p.done) })
	<-p.told
	err := p.Async.Close()
	if errors.Is(err, wmiclient.ErrNeverCalled) {
		err = fmt.Errorf("%w. %s", err, p.check())
	}
	return err
}
