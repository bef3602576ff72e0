package host

import (
	"cmp"
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/cimom"
	"github.com/casementhq/casement/internal/procs"
	"github.com/casementhq/casement/internal/systemd"
	"github.com/casementhq/casement/security"
)

// Options are what the provider needs from the program around it. The zero value reads this machine and lets nobody
// start a process.
type Options struct {
	// Root is the folder below which /proc, /sys, /etc, /run and /var are read; "" is "/". With another root the
	// facts that only a system call gives (sizes of file systems, links) are absent.
	Root string
	// Now is the clock; nil is time.Now.
	Now func() time.Time
	// Log gets what could not be read; nil discards it.
	Log *slog.Logger
	// Start starts a process for Win32_Process.Create, as the Unix user that the caller is mapped to. A value other
	// than 0 is the ReturnValue of the method (2 access denied, 9 path not found, ...); an error becomes 8. nil
	// refuses everybody with 2.
	Start func(ctx context.Context, caller cim.Caller, commandLine, dir string, startup *cim.Instance) (pid, returnValue uint32, err error)
	// Kill ends a process for Win32_Process.Terminate; nil sends SIGKILL as the service's own user.
	Kill func(ctx context.Context, caller cim.Caller, pid int) (returnValue uint32, err error)
	// Journalctl is the program that reads the journal; "" is journalctl as PATH has it.
	Journalctl string
	// Files changes the files of [NewFiles], and Writer writes those that methods of the other classes make, as the
	// Unix user that a caller is mapped to; nil, or an error, refuses.
	Files  func(caller cim.Caller) (FileActor, error)
	Writer func(caller cim.Caller) (FileWriter, error)
	// Power stops or restarts the machine for the methods of Win32_OperatingSystem; nil: they return 50, not supported.
	// The caller's privilege was checked.
	Power func(ctx context.Context, action systemd.PowerAction) error
	// WMISetting tells how the object manager is set up; nil: Win32_WMISetting has no instance.
	WMISetting func() WMISetting
	// MayChange tells whether a caller may invoke a method that changes the machine; nil permits callers whose token
	// has Administrators enabled. Who may not gets the ReturnValue 2.
	MayChange func(caller cim.Caller, class, method string) bool
	// Account is the Casement account that is mapped to a Unix user id; nil, or ok false, means that there is none
	// and that the user's SID is S-1-22-1-uid.
	Account func(uid uint32) (sid security.SID, domain, name string, ok bool)
	// LocalAccounts are the accounts of the service, which are shown as users and groups of this machine; nil: there
	// are none.
	LocalAccounts func() (LocalAccounts, error)
	// Services is the service manager; nil: there is none, and Win32_Service has no instances.
	Services Services
	// ControlService does one of the deeds with a service as the Unix user that a caller is mapped to, where the
	// service manager refuses this process: nil, or ErrServiceDenied, refuses the caller, too.
	ControlService func(ctx context.Context, caller cim.Caller, do ServiceDeed, name string) error
	// Server is this machine's name in references, where the class of a request has none.
	Server string
}

// Provider gives the instances of the host classes. It is safe for concurrent use.
type Provider struct {
	root      string
	now       func() time.Time
	log       *slog.Logger
	o         Options
	openProcs func() (*procs.Table, error)
	system    system
	sources   map[string]source
	filesOnly bool // it is that of NewFiles
	slow      slowMounts
	loads     loadMeter
	pci       pciDatabase
	samples   samples
	watch     processWatch
}

var (
	_ cimom.InstanceLister    = (*Provider)(nil)
	_ cimom.MethodInvoker     = (*Provider)(nil)
	_ cimom.AssociationWalker = (*Provider)(nil)
)

// New makes the provider of this machine, but for its files: those are of [NewFiles], which is registered before it,
// as the files of event logs derive from CIM_DataFile.
func New(o Options) *Provider { return newProvider(o, platformSources) }

func newProvider(o Options, sources []source) *Provider {
	p := &Provider{root: o.Root, now: o.Now, log: o.Log, o: o, sources: map[string]source{}}
	if p.root == "" {
		p.root = "/"
	}
	if p.now == nil {
		p.now = time.Now
	}
	if p.log == nil {
		p.log = slog.New(slog.DiscardHandler)
	}
	if p.root == "/" {
		p.system = newSystem()
	}
	p.openProcs = sync.OnceValues(func() (*procs.Table, error) { return procs.Open(filepath.Join(p.root, "proc")) })
	for _, s := range sources {
		p.sources[cim.Fold(s.className())] = s
	}
	return p
}

// ProviderName is what the Provider qualifier of the classes says, and the name of its __Win32Provider instance.
func (p *Provider) ProviderName() string {
	if p.filesOnly {
		return FilesProviderName
	}
	return ProviderName
}

// Classes are the definitions of all classes that the provider knows: those that it fills and their superclasses,
// superclasses first.
func (p *Provider) Classes() []*cim.Class {
	var out []*cim.Class
	needed := map[string]bool{}
	for _, c := range schema() {
		_, filled := p.sources[cim.Fold(c.Name)]
		_, told := eventTables[cim.Fold(c.Name)]
		if filled || (told || otherClasses[c.Name]) && !p.filesOnly {
			needed[c.Name] = true
			for _, d := range c.Derivation {
				needed[d] = true
			}
		}
	}
	for _, c := range schema() {
		if needed[c.Name] && (p.filesOnly || !isFileClass(c)) {
			out = append(out, c)
		}
	}
	return out
}

// otherClasses are not filled here: Win32_ProcessStartup is a parameter of a method, and the object manager keeps the
// setting.
var otherClasses = map[string]bool{"Win32_ProcessStartup": true, settingClass: true}

const settingClass = "ScriptingStandardConsumerSetting"

// hostName is the node name of this machine; "" where unknown.
func (p *Provider) hostName() string {
	if n := p.read("proc/sys/kernel/hostname"); n != "" {
		return n
	}
	if p.root != "/" {
		return ""
	}
	n, err := os.Hostname()
	if err != nil {
		return ""
	}
	return n
}

// List yields the instances of r.Class. It reads only what r wants, and where r fixes a key only the object that the
// key names. See [cimom.InstanceLister].
func (p *Provider) List(ctx context.Context, r *cimom.Request, yield func(*cim.Instance) error) error {
	return p.list(ctx, r.Class, queryOf(r, p.o.Server), yield)
}

// PrepareList begins the measurements of the formatted performance classes. See [cimom.ListPreparer].
func (p *Provider) PrepareList(ctx context.Context, list []*cimom.Request) {
	for _, r := range list {
		if s, ok := p.sources[cim.Fold(r.Class.Name)].(*cooked); ok {
			s.begin(ctx, p, r.Class, queryOf(r, p.o.Server))
		}
	}
}

// Walk yields the associations of r.Class in which source has the role, as far as they can be told apart before they
// are read. See [cimom.AssociationWalker].
func (p *Provider) Walk(ctx context.Context, r *cimom.Request, source cim.ObjectPath, role string, yield func(*cim.Instance) error) error {
	q := queryOf(r, p.o.Server)
	q.source = walkSource{role, source}
	return p.list(ctx, r.Class, q, yield)
}

func queryOf(r *cimom.Request, server string) query {
	return query{wants: r.WantsAt, server: cmp.Or(r.Class.Server, server), equal: r.Constraint, orders: r.Orders, caller: r.Caller, hidden: r.LeaveOut}
}

func (p *Provider) list(ctx context.Context, c *cim.Class, q query, yield func(*cim.Instance) error) error {
	s, ok := p.sources[cim.Fold(c.Name)]
	if !ok { // a definition only
		return nil
	}
	if l := filteredFor(c, q.caller); l != nil {
		q, yield = l.apply(c, q, yield)
	}
	return s.list(ctx, p, c, q, yield)
}
