package service

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/casementhq/casement/firewall"
	"github.com/casementhq/casement/registry"
	"github.com/casementhq/casement/settings"
)

// Codes with which quickconfig refuses. See spec section 1.6.
const (
	codeQuickCertificate    uint32 = 0x80338115
	codeQuickNoExceptions   uint32 = 0x80338116
	codeQuickNoLocalChanges uint32 = 0x80338117
	codeQuickPublic         uint32 = 0x80338169
	codeRemoteDisabled      uint32 = 0x803381DD
)

// NetworkProfile is the present network profile of this machine, Private where
// the hive does not name it. A damaged value counts as Public.
func NetworkProfile(r settings.Reader) firewall.Profile {
	v, _, ok := r.Value(firewall.KeyPresent, firewall.PresentName)
	return firewall.PresentOf(v, ok)
}

// QuickConfig is what winrm quickconfig does to a machine: it makes a listener,
// opens the firewall, writes the limits of remote shells, lets local
// administrators use their rights over the network, and has the service
// started, now and with the system.
type QuickConfig struct {
	Dir    string // the state folder, which is made where there is none
	Logger *slog.Logger
	// Units drives the system manager. Default: systemd where it runs.
	Units Units
	// Now is the clock for certificates. Default: time.Now.
	Now func() time.Time
}

// QuickConfigOptions say what quickconfig makes.
type QuickConfigOptions struct {
	Transport string // HTTP (default) or HTTPS
	Force     bool   // also where the network is public

	// manager is Configure-SMRemoting -enable: the schemes that Server Manager
	// needs, and User Account Control stays as it is. See spec section 9.
	manager bool
	// start is a start of the service, which does not fail because the firewall stays
	// shut: by policy, or on a public network.
	start bool
}

// QuickPlan is what quickconfig would do.
type QuickPlan struct {
	Options QuickConfigOptions
	Running bool     // the service answers
	Actions []string // what is missing, one sentence each; none where nothing is
	Notes   []string // what this machine cannot do by itself, one sentence each

	enable, start bool
}

// Texts of the actions and of what is reported afterwards.
const (
	textEnable   = "Set the WinRM service type to delayed auto start."
	textStart    = "Start the WinRM service."
	textFirewall = "Enable the WinRM firewall exception."
	textFilter   = "Configure LocalAccountTokenFilterPolicy to grant administrative rights remotely to local users."
	textAccess   = "Enable remote access to the WinRM service."
	textSchemes  = "Enable Kerberos and Negotiate authentication of the WinRM service."
	doneEnable   = "WinRM service type changed to delayed auto start."
	doneStart    = "WinRM service started."
	doneFirewall = "WinRM firewall exception enabled."
	doneAccess   = "Remote access to the WinRM service enabled."
	doneSchemes  = "Kerberos and Negotiate authentication of the WinRM service enabled."
	doneFilter   = "Configured LocalAccountTokenFilterPolicy to grant administrative rights remotely to local users."
)

func listenerText(verb, transport string) string {
	return verb + " a WinRM listener on " + transport + "://* to accept WS-Man requests to any IP on this machine."
}

func refuse(code uint32, format string, args ...any) error {
	return &settings.Error{Code: code, Subcode: settings.SubcodeInternal, Message: fmt.Sprintf(format, args...)}
}

// Plan looks at the machine and says what is missing. It changes nothing. A
// refusal is a *settings.Error: 5 for who is neither root nor the owner of the
// state folder, 0x80338115 where HTTPS has no usable certificate, 0x80338116
// and 0x80338117 where policy keeps the firewall shut, 0x80338169 on a public
// network without Force, 0x803381DD where policy forbids remote access.
func (q *QuickConfig) Plan(ctx context.Context, o QuickConfigOptions) (QuickPlan, error) {
	if o.Transport == "" {
		o.Transport = "HTTP"
	}
	p := QuickPlan{Options: o}
	dir, err := filepath.Abs(q.Dir)
	if err != nil {
		return p, err
	}
	if err := elevated(dir); err != nil {
		return p, refusedAccess(err)
	}
	live, host, print, err := q.look(dir, o)
	if err == nil {
		err = remoteAccessPolicy(live)
	}
	if err != nil {
		return p, err
	}
	w, err := q.missing(live, host, o, print)
	if err != nil {
		return p, err
	}
	p.Running = answers(ctx, filepath.Join(dir, socketName))
	if err := q.planUnit(ctx, dir, &p); err != nil {
		return p, err
	}
	if p.enable {
		p.Actions = append(p.Actions, textEnable)
	}
	if p.start {
		p.Actions = append(p.Actions, textStart)
	}
	p.Actions = append(p.Actions, w.actions(o)...)
	return p, nil
}

// refusedAccess gives an error of permissions its code.
func refusedAccess(err error) error {
	if errors.Is(err, fs.ErrPermission) {
		return &settings.Error{Code: settings.CodeAccessDenied, Message: err.Error()}
	}
	return err
}

// look reads the configuration, that of a new machine where there is none, and
// finds the certificate for HTTPS.
func (q *QuickConfig) look(dir string, o QuickConfigOptions) (*settings.Snapshot, settings.Host, string, error) {
	state, err := OpenState(dir, StateOptions{Logger: q.Logger})
	if errors.Is(err, ErrNoState) {
		live := settings.LoadSnapshot(registry.NewTree())
		if o.Transport == "HTTPS" {
			return nil, settings.Host{}, "", noCertificate(hostName())
		}
		return live, settings.Host{Name: hostName()}, "", nil
	}
	if err != nil {
		return nil, settings.Host{}, "", refusedAccess(err)
	}
	defer state.Close()
	live, host := state.Snapshot(), state.Host()
	if o.Transport != "HTTPS" {
		return live, host, "", nil
	}
	print, err := q.certificate(state, host.Name)
	return live, host, print, err
}

func noCertificate(host string) error {
	return refuse(codeQuickCertificate, "an HTTPS listener needs a certificate for %s that an authority signed, that may authenticate servers "+
		"and that is valid now; this machine has none", host)
}

// certificate finds a certificate for HTTPS: for the machine's name, valid, for
// servers, and not signed by itself.
func (q *QuickConfig) certificate(state *State, host string) (string, error) {
	now := time.Now
	if q.Now != nil {
		now = q.Now
	}
	for _, c := range state.Certificates.Usable(now()) {
		if !c.ServerAuth || !namesHost(c.Names, host) {
			continue
		}
		pair, err := state.Certificates.Find(c.Thumbprint)
		if err != nil || SelfIssued(pair.Leaf) {
			continue
		}
		return c.Thumbprint, nil
	}
	return "", noCertificate(host)
}

// namesHost tells whether a certificate is for a host; *.x stands for one label
// before x.
func namesHost(names []string, host string) bool {
	_, parent, dotted := strings.Cut(host, ".")
	for _, n := range names {
		if suffix, wild := strings.CutPrefix(n, "*."); strings.EqualFold(n, host) || wild && dotted && strings.EqualFold(suffix, parent) {
			return true
		}
	}
	return false
}

// answers tells whether a service answers at the socket.
func answers(ctx context.Context, socket string) bool {
	if len(socket) > maxSocketPath {
		return false
	}
	var d net.Dialer
	c, err := d.DialContext(ctx, "unix", socket)
	if err != nil {
		return false
	}
	return c.Close() == nil
}

// wants is what is missing in the configuration.
type wants struct {
	listener, enable, firewall, filter bool
	access                             bool     // the switch of the machine is off
	schemes                            []string // of Service/Auth that are off
	profile                            firewall.Profile
	thumbprint                         string
}

func (w wants) actions(o QuickConfigOptions) []string {
	var list []string
	if w.listener {
		list = append(list, listenerText("Create", o.Transport))
	}
	if w.enable {
		list = append(list, listenerText("Enable", o.Transport))
	}
	if w.firewall {
		list = append(list, textFirewall)
	}
	if w.access {
		list = append(list, textAccess)
	}
	if len(w.schemes) > 0 {
		list = append(list, textSchemes)
	}
	if w.filter {
		list = append(list, textFilter)
	}
	return list
}

func (w wants) reports(o QuickConfigOptions) []string {
	var list []string
	if w.listener {
		list = append(list, listenerText("Created", o.Transport))
	}
	if w.enable {
		list = append(list, listenerText("Enabled", o.Transport))
	}
	if w.firewall {
		list = append(list, doneFirewall)
	}
	if w.access {
		list = append(list, doneAccess)
	}
	if len(w.schemes) > 0 {
		list = append(list, doneSchemes)
	}
	if w.filter {
		list = append(list, doneFilter)
	}
	return list
}

// missing compares the configuration with what remote management needs.
func (q *QuickConfig) missing(live *settings.Snapshot, host settings.Host, o QuickConfigOptions, print string) (wants, error) {
	w := wants{profile: NetworkProfile(live.Reader), thumbprint: print, listener: true}
	_, src, _ := live.Reader.Value(settings.KeyUAC, "LocalAccountTokenFilterPolicy")
	w.filter = live.FilterTokens && !o.manager && src != registry.SourceGPO
	w.access = !live.WinRM.Service.AllowRemoteAccess && live.WinRM.Source(accessSetting) != registry.SourceGPO
	if o.manager {
		w.schemes = missingSchemes(live)
	}
	for _, l := range live.Listeners {
		if l.Address == "*" && strings.EqualFold(l.Transport, o.Transport) {
			w.listener, w.enable = false, !l.Enabled
		}
	}
	if w.listener { // a listener that cannot be made is refused before anything is done
		if _, _, err := settings.CreateListener(live.Reader, live.WinRM, host, listenerSelectors(o), listenerBody(host, w)); err != nil {
			return w, err
		}
	}
	tree, ok := live.Reader.(*registry.Tree)
	if !ok {
		return w, errors.New("quickconfig: the configuration is not a registry tree")
	}
	rules, bad := firewall.Effective(tree, w.profile)
	for _, err := range bad {
		q.log().Warn("a firewall rule cannot be used", "error", err)
	}
	w.firewall = !firewall.WinRMEnabled(rules, o.Transport, w.profile)
	if !w.firewall {
		return w, nil
	}
	err := firewallPolicy(tree, o.Transport, w.profile)
	if err == nil && w.profile == firewall.Public && !o.Force {
		err = refuse(codeQuickPublic, "the present network is public and the firewall stays shut; make it private, or use -force, which opens it to the local subnet")
	}
	if err != nil && o.start {
		q.log().Warn("the firewall exception of WinRM is not made", "error", err)
		w.firewall, err = false, nil
	}
	return w, err
}

func (q *QuickConfig) log() *slog.Logger {
	if q.Logger == nil {
		return slog.New(slog.DiscardHandler)
	}
	return q.Logger
}

// firewallPolicy refuses where the exception would have no effect.
func firewallPolicy(tree *registry.Tree, transport string, p firewall.Profile) error {
	set, _ := firewall.LoadSettings(tree, p)
	if set.Shielded {
		return refuse(codeQuickNoExceptions, "no exceptions of the firewall are permitted for %s networks (DoNotAllowExceptions)", p)
	}
	if !set.LocalRules {
		return refuse(codeQuickNoLocalChanges, "policy ignores local firewall rules for %s networks (AllowLocalPolicyMerge); the exception must be made there", p)
	}
	if firewall.WinRMByPolicy(tree, transport, p) {
		return refuse(codeQuickNoLocalChanges, "policy has the rule of the firewall for WinRM and keeps it shut for %s networks; the exception must be made there", p)
	}
	return nil
}

func listenerSelectors(o QuickConfigOptions) []settings.NameValue {
	return []settings.NameValue{{Name: "Address", Value: "*"}, {Name: "Transport", Value: o.Transport}}
}

func listenerBody(host settings.Host, w wants) []settings.NameValue {
	if w.thumbprint == "" {
		return nil
	}
	return []settings.NameValue{{Name: "Hostname", Value: host.Name}, {Name: "CertificateThumbprint", Value: w.thumbprint}}
}

// Apply does what is missing and returns the lines to report. The
// configuration changes as a whole or not at all.
func (q *QuickConfig) Apply(ctx context.Context, p QuickPlan) ([]string, error) {
	dir, err := filepath.Abs(q.Dir)
	if err != nil {
		return nil, err
	}
	if err := elevated(dir); err != nil {
		return nil, refusedAccess(err)
	}
	done, err := q.configure(dir, p.Options)
	if err != nil {
		return nil, refusedAccess(err)
	}
	var unit []string
	if p.enable || p.start {
		if unit, err = q.applyUnit(ctx, p); err != nil {
			return append(unit, done...), fmt.Errorf("the configuration is written, but the service could not be started: %w", err)
		}
	}
	return append(unit, done...), nil
}

// configure opens the state folder and does what is missing there. What policy
// forbids it does not.
func (q *QuickConfig) configure(dir string, o QuickConfigOptions) ([]string, error) {
	state, err := OpenState(dir, StateOptions{Create: true, Logger: q.Logger})
	if err != nil {
		return nil, err
	}
	defer state.Close()
	if err := remoteAccessPolicy(state.Snapshot()); err != nil {
		return nil, err
	}
	return q.configureState(state, o)
}

// configureState does what is missing in an open state folder.
func (q *QuickConfig) configureState(state *State, o QuickConfigOptions) (done []string, err error) {
	host := state.Host()
	print := ""
	if o.Transport == "HTTPS" {
		if print, err = q.certificate(state, host.Name); err != nil {
			return nil, err
		}
	}
	err = state.Hive.Update(func(tx *registry.Tx) error {
		live := state.Snapshot()
		w, err := q.missing(live, host, o, print)
		if err != nil {
			return err
		}
		done = w.reports(o)
		return w.apply(tx, live, host, o)
	})
	return done, err
}

// apply writes what is missing.
func (w wants) apply(tx *registry.Tx, live *settings.Snapshot, host settings.Host, o QuickConfigOptions) error {
	if err := writeShellLimits(tx, live); err != nil {
		return err
	}
	if w.filter {
		if err := settings.Apply(tx, []settings.Change{settings.SetLocalAccountTokenFilterPolicy(true)}); err != nil {
			return err
		}
	}
	if w.access {
		if err := settings.Apply(tx, []settings.Change{settings.SetAllowRemoteAccess(true)}); err != nil {
			return err
		}
	}
	if err := w.enableSchemes(tx, live); err != nil {
		return err
	}
	if w.firewall {
		if _, err := firewall.EnableWinRM(tx, o.Transport, w.profile); err != nil {
			return err
		}
	}
	var changes []settings.Change
	var err error
	switch {
	case w.listener:
		_, changes, err = settings.CreateListener(live.Reader, live.WinRM, host, listenerSelectors(o), listenerBody(host, w))
	case w.enable:
		_, changes, err = settings.PutListener(live.Reader, live.WinRM, host, listenerSelectors(o),
			[]settings.NameValue{{Name: "Enabled", Value: strconv.FormatBool(true)}})
	}
	if err != nil {
		return err
	}
	return settings.Apply(tx, changes)
}

// writeShellLimits writes the defaults of winrm/config/winrs that the hive does
// not hold yet.
func writeShellLimits(tx *registry.Tx, live *settings.Snapshot) error {
	key := settings.KeyWSMAN + `\Winrs`
	defaults, _ := settings.Load(registry.NewTree(), live.Defaults)
	d := defaults.Winrs
	allow := uint32(0)
	if d.AllowRemoteShellAccess {
		allow = 1
	}
	for _, v := range []struct {
		name  string
		value uint32
	}{
		{"AllowRemoteShellAccess", allow}, {"IdleTimeout", d.IdleTimeout}, {"MaxConcurrentUsers", d.MaxConcurrentUsers},
		{"MaxProcessesPerShell", d.MaxProcessesPerShell}, {"MaxMemoryPerShellMB", d.MaxMemoryPerShellMB}, {"MaxShellsPerUser", d.MaxShellsPerUser},
	} {
		if _, there := tx.Get(key, v.name); there {
			continue
		}
		if err := tx.Set(key, v.name, registry.DWORD(v.value)); err != nil {
			return err
		}
	}
	return nil
}
