package console

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/alexedwards/scs/v2"

	"github.com/casementhq/casement/console/auditlog"
	"github.com/casementhq/casement/internal/store"
)

// Options say what a console is over. Pool, Dir, SignIn and Current are needed.
type Options struct {
	Pool Pool
	// Dir is the folder of sessions, settings and the audit log; it is made, for its
	// owner alone, where there is none. One process holds it.
	Dir string
	// SignIn asks the service who somebody with a password is. Its error matches
	// ErrWrongPassword where the service says so; another means that it could not be
	// asked. It must not keep the password.
	SignIn func(ctx context.Context, user, password string) (Account, error)
	// Current is the account of a name that SignIn gave, as it is now; it fails where
	// the account is gone or disabled. It is asked at each request.
	Current func(ctx context.Context, user string) (Account, error)
	// Names are the host names and addresses by which browsers may ask, without
	// ports; localhost and the loopback addresses always may.
	Names []string
	// Machine is the name of this machine, as the pages show it.
	Machine string
	// Fingerprint is the SHA-256 of the listener's certificate, in hexadecimal.
	Fingerprint string
	// Version is that of the program.
	Version string
	// Metrics answers /metrics; nil is 404.
	Metrics http.Handler
	// Log takes what is wrong with the console itself. nil is silent.
	Log *slog.Logger
}

// ErrWrongPassword is why SignIn refuses: no such account, a wrong password, an
// account that is disabled or locked out. Nobody is told which.
var ErrWrongPassword = errors.New("name or password is wrong")

// The limits of a session. See spec/console.md 4.
const (
	sessionIdle = 15 * time.Minute
	sessionLife = 12 * time.Hour
)

// Console is the http.Handler of the console's listener. Close ends it.
type Console struct {
	o        Options
	log      *slog.Logger
	pool     Pool
	store    *store.Store
	audit    *auditlog.Log
	sessions *scs.SessionManager
	rows     *sessionRows
	streams  streams
	throttle throttle
	crossing *http.CrossOriginProtection
	names    map[string]bool
	mux      *http.ServeMux
	routes   []route
	pages    *pages
	live     *hub
	settings settingsCache
	criteria criteriaCache
	fleet    *fleet
	history  history
	shells   shells
	asks     asks

	writeLimit time.Duration // how long one write to a stream may take
	workLimit  time.Duration // how long a page waits for a work
	works      works

	stop context.CancelFunc
	done sync.WaitGroup
}

// New opens the folder and makes the console.
func New(o Options) (*Console, error) {
	if o.Pool == nil || o.Dir == "" || o.SignIn == nil || o.Current == nil {
		return nil, errors.New("console: Pool, Dir, SignIn and Current are needed")
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if err := os.MkdirAll(o.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("open the console: %w", err)
	}
	pages, err := loadPages()
	if err != nil {
		return nil, err
	}
	db, err := store.Open(filepath.Join(o.Dir, "console.db"), store.Options{Timeout: time.Second})
	if err != nil {
		return nil, fmt.Errorf("open the console: %w", err)
	}
	audit, err := auditlog.Open(filepath.Join(o.Dir, AuditName))
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	c := &Console{
		o: o, log: o.Log, pool: o.Pool, store: db, audit: audit, pages: pages,
		names: knownNames(o.Names), crossing: http.NewCrossOriginProtection(), mux: http.NewServeMux(), fleet: newFleet(), writeLimit: liveWrite, workLimit: workPatience,
	}
	if err := c.settings.load(db); err != nil {
		return nil, errors.Join(fmt.Errorf("open the console: %w", err), audit.Close(), db.Close())
	}
	if err := errors.Join(c.criteria.load(context.Background(), db), c.history.load(context.Background(), db)); err != nil {
		return nil, errors.Join(fmt.Errorf("open the console: %w", err), audit.Close(), db.Close())
	}
	c.openSessions()
	c.live = newHub()
	c.register()
	ctx, stop := context.WithCancel(context.Background())
	c.stop = stop
	c.done.Go(func() { c.sweepSessions(ctx) })
	c.done.Go(func() { c.followPool(ctx) })
	c.done.Go(func() { c.followWork(ctx) })
	c.done.Go(func() { c.sweepShells(ctx) })
	c.done.Go(func() { c.keepHistory(ctx) })
	return c, nil
}

// AuditName is the file of the audit log in the folder.
const AuditName = "audit.jsonl"

// Close ends streams and background work and closes the folder. Requests that are
// under way fail.
func (c *Console) Close() error {
	c.stop()
	c.streams.endAll()
	c.live.close()
	c.done.Wait()
	kept := c.history.flush(context.Background(), c.store)
	return errors.Join(kept, c.audit.Close(), c.store.Close())
}

// ServeHTTP answers a request: headers, host name, origin, who asks, the route.
func (c *Console) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	setHeaders(w.Header())
	rq := &request{ResponseWriter: w, Request: r, c: c, id: newID()}
	defer rq.recovered()
	switch err := c.admit(rq); {
	case err != nil:
		rq.fail(err)
	default:
		c.mux.ServeHTTP(rq, rq.Request)
	}
}

// admit applies what holds for every request, and finds out who asks.
func (c *Console) admit(rq *request) error {
	if !c.knownHost(rq.Host) {
		return &problem{Status: http.StatusMisdirectedRequest, Title: "Unknown host name",
			Text: "This console does not answer under this name.", Next: "Use a name of this machine, or have the name added when the console is started."}
	}
	if err := c.crossing.Check(rq.Request); err != nil {
		return &problem{Status: http.StatusForbidden, Title: "Refused", Text: "This request came from a page of another site."}
	}
	return c.identify(rq)
}
