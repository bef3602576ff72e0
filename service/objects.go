package service

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"
	"time"

	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/cimom"
	"github.com/casementhq/casement/cimom/decoupled"
	"github.com/casementhq/casement/cimom/repository"
	"github.com/casementhq/casement/internal/peercred"
	"github.com/casementhq/casement/internal/systemd"
	"github.com/casementhq/casement/providers/host"
	"github.com/casementhq/casement/providers/ipmi"
	"github.com/casementhq/casement/providers/netfirewall"
	"github.com/casementhq/casement/providers/stdregprov"
	"github.com/casementhq/casement/security"
)

// The files and sockets of the object manager in the state folder.
const (
	repositoryName = repository.FileName
	backupsName    = "backups"
	providersName  = "providers.sock"
)

// repositoryWait is how long a service waits for a tool that has the
// repository open.
const repositoryWait = 10 * time.Second

// objects is the object manager of this machine with what belongs to it.
type objects struct {
	*cimom.Manager
	repository *repository.Repository
	registrar  *decoupled.Registrar
	hosts      *providerHosts
}

// processes are those in which providers are loaded, besides this one.
func (s *objects) processes() []cimom.ProviderProcess {
	list := s.registrar.Processes()
	if s.hosts != nil {
		list = append(list, s.hosts.processes()...)
	}
	return list
}

// loaded tells the manager that a provider has come, or has gone.
func (s *objects) loaded(p cimom.ProviderProcess, loaded bool) {
	if loaded {
		s.ProviderLoaded(p)
	} else {
		s.ProviderUnloaded(p)
	}
}

// newObjects opens the repository of a state folder and makes the object
// manager over it, with the providers of this machine and with those that
// other processes bring.
func newObjects(state *State, o Options, p *people) (_ *objects, err error) {
	backups := filepath.Join(state.Dir, backupsName)
	if err := os.Mkdir(backups, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, fmt.Errorf("make the folder for backups: %w", err)
	}
	s := &objects{}
	defer func() {
		if err != nil {
			s.Close()
		}
	}()
	if s.repository, err = repository.Open(filepath.Join(state.Dir, repositoryName), repository.Options{Timeout: repositoryWait, Log: o.Logger}); err != nil {
		return nil, fmt.Errorf("open the repository: %w", err)
	}
	s.registrar = decoupled.NewRegistrar(decoupled.RegistrarOptions{
		UID: peercred.UID, PID: peercred.PID, UserName: unixName, Loaded: s.loaded, Lookup: s.class, Logger: o.Logger,
		Admit: func(_ context.Context, uid uint32, namespace, provider string) error {
			return s.admit(p, uid, namespace, provider)
		},
	})
	s.Manager = cimom.New(cimom.Options{
		CreatorCaller: p.creatorCaller, CreatorStores: p.creatorStores, CurrentCaller: p.current, Logger: o.Logger, Repository: s.repository, Backups: backups,
		Providers: s.registrar.Provider, ProvidersChanged: s.registrar.Recheck, ProviderProcesses: s.processes,
	})
	return s, s.registerAll(state, o, p)
}

// registerAll registers the built-in providers.
func (s *objects) registerAll(state *State, o Options, p *people) error {
	quota, err := s.hostQuota(context.Background()) // it reads memory
	if err != nil {
		return fmt.Errorf("read the limits of provider hosts: %w", err)
	}
	s.hosts = &providerHosts{starter: o.Starter, server: s.Server(), quota: quota, loaded: s.loaded, log: o.Logger}
	files := newUserFiles(p, s.hosts)
	launcher := &launcher{starter: o.Starter, tools: o.Tools, people: p, log: o.Logger}
	hostOptions := host.Options{Log: o.Logger, Start: launcher.start, Account: p.accountOf, LocalAccounts: p.localAccounts, Writer: files.writer,
		WMISetting: func() host.WMISetting { return wmiSetting(state) }}
	if systemd.Available(systemd.Options{}) {
		hostOptions.Services = host.Systemd(systemd.Options{})
		hostOptions.ControlService = (&serviceControl{starter: o.Starter, people: p}).do
		hostOptions.Power = func(ctx context.Context, action systemd.PowerAction) error {
			return systemd.Power(ctx, systemd.Options{}, action)
		}
	}
	if err := s.Register(newFileClasses(p, s.hosts, o.Logger)); err != nil {
		return fmt.Errorf("register the classes of files: %w", err)
	}
	if err := s.Register(host.New(hostOptions)); err != nil {
		return fmt.Errorf("register the classes of this host: %w", err)
	}
	reg, err := stdregprov.New(stdregprov.Options{Hive: state.Hive, Log: o.Logger,
		Access: func(key string) *security.SecurityDescriptor { return state.Snapshot().DCOM.ConfigureDescriptor(key) }})
	if err != nil {
		return fmt.Errorf("open the registry provider: %w", err)
	}
	if err := s.Register(reg); err != nil {
		return fmt.Errorf("register the classes of the registry: %w", err)
	}
	fw, err := netfirewall.New(netfirewall.Options{Hive: state.Hive, Log: o.Logger})
	if err != nil {
		return fmt.Errorf("read the classes of the firewall: %w", err)
	}
	if err := s.Register(fw); err != nil {
		return fmt.Errorf("register the classes of the firewall: %w", err)
	}
	if err := s.Register(ipmi.New(ipmi.Options{Store: ipmi.OpenStore(state.Dir), Domain: s.Server(), Log: o.Logger})); err != nil {
		return fmt.Errorf("register the classes of IPMI: %w", err)
	}
	if err := s.Register(&connected{s.registrar}); err != nil {
		return fmt.Errorf("register the class of connected providers: %w", err)
	}
	return registerConsumers(s.Manager, o, p, files)
}

// wmiSetting is how the object manager is set up now.
func wmiSetting(state *State) host.WMISetting {
	out := host.WMISetting{DatabaseDirectory: state.Dir, EnableEvents: true}
	if info, ok := debug.ReadBuildInfo(); ok {
		out.BuildVersion = info.Main.Version
	}
	if program, err := os.Executable(); err == nil {
		out.InstallationDirectory = filepath.Dir(program)
	}
	if v, ok := state.Hive.Get(autorecoverKey, autorecoverName); ok {
		out.AutorecoverMOFs, _ = v.Strings()
	}
	return out
}

// Where the tools note the files that are compiled again when the repository is
// made anew. See spec/wmi.md 2.9.
const (
	autorecoverKey  = `HKLM\SOFTWARE\Microsoft\WBEM\CIMOM`
	autorecoverName = "Autorecover MOFs"
)

// system is the service itself as a caller.
var system = cim.Caller{Token: &security.Token{
	User: security.SIDLocalSystem, UserName: "SYSTEM", Domain: "NT AUTHORITY",
	Groups: []security.GroupEntry{{SID: security.SIDAdministrators}, {SID: security.SIDAuthenticatedUsers}, {SID: security.SIDEveryone}},
}}

// class finds the class of an embedded object that a provider sent.
func (s *objects) class(namespace, name string) *cim.Class {
	ctx := context.Background() // it reads memory
	session, err := s.Open(ctx, system, namespace, cim.OpenOptions{})
	if err != nil {
		return nil
	}
	defer session.Close()
	class, err := session.GetClass(ctx, name, cim.GetOptions{})
	if err != nil {
		return nil
	}
	return class
}

// admit tells whether a Unix user may be a decoupled provider: the user's account
// may read in the namespace, the stored __Win32Provider declares one, and its
// SecurityDescriptor grants the account the right 1. Without a descriptor only
// the service's own user and root may. See spec/wmi.md 6.2.
func (s *objects) admit(p *people, uid uint32, namespace, provider string) error {
	registration, err := s.Registration(namespace, provider)
	if errors.Is(err, cim.ErrNotFound) {
		return &cim.Error{Status: cim.ErrProviderNotRegistered, Path: provider, Detail: "no instance of __Win32Provider in " + namespace + " has this name; compile its MOF first"}
	}
	if err != nil {
		return err
	}
	if enabled, known := registration.Get("Enabled").Bool(); known && !enabled {
		return &cim.Error{Status: cim.ErrProviderDisabled, Path: provider}
	}
	if model, _ := registration.Get("HostingModel").Str(); !strings.HasPrefix(strings.ToLower(model), "decoupled:") {
		return &cim.Error{Status: cim.ErrAccessDenied, Path: provider, Detail: "its HostingModel is not Decoupled:Com"}
	}
	token, err := p.localToken(uid)
	if err != nil {
		return err
	}
	if err := s.MayRead(namespace, cim.Caller{Token: token}); err != nil {
		return err
	}
	text, _ := registration.Get("SecurityDescriptor").Str()
	if text == "" {
		if uid == 0 || uid == ownUID() {
			return nil
		}
		return &cim.Error{Status: cim.ErrAccessDenied, Path: provider, Detail: "its SecurityDescriptor is NULL: only the service's own user may be this provider"}
	}
	sd, err := security.ParseSDDL(text)
	if err == nil && sd.DACL == nil {
		err = errors.New("it has no DACL and would admit everybody")
	}
	if err != nil {
		return &cim.Error{Status: cim.ErrInvalidProviderRegistration, Path: provider, Detail: "its SecurityDescriptor is no SDDL with a DACL", Err: err}
	}
	if _, err := security.AccessCheck(sd, token, 1, security.GenericMapping{}); err != nil {
		return &cim.Error{Status: cim.ErrAccessDenied, Path: provider, Detail: "its SecurityDescriptor does not admit the user of this process", Err: err}
	}
	return nil
}

// listen opens STATE/providers.sock, where decoupled providers connect.
func (s *objects) listen(state *State) (net.Listener, error) {
	return listenUnix(filepath.Join(state.Dir, providersName))
}

// Close ends the sessions, the providers and the repository.
func (s *objects) Close() error {
	var errs []error
	if s.Manager != nil {
		errs = append(errs, s.Manager.Close())
	}
	if s.hosts != nil {
		errs = append(errs, s.hosts.close())
	}
	if s.registrar != nil {
		errs = append(errs, s.registrar.Close())
	}
	if s.repository != nil {
		errs = append(errs, s.repository.Close())
	}
	return errors.Join(errs...)
}
