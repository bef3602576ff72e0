package host

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/casementhq/casement/cim"
)

// The errors of a [Services] that methods turn into documented return values. Others become 8, unknown failure.
var (
	ErrNoService       = errors.New("host: no such service")
	ErrServiceDisabled = errors.New("host: the service is disabled")
	ErrServiceDenied   = errors.New("host: the service manager refuses the caller")
	ErrServiceTimeout  = errors.New("host: the service manager gave no answer in time")
)

// Services is the service manager of the machine: systemd.
type Services interface {
	// List lists the services; those that are installed and not loaded too. With detail the fields of Service that
	// say so are filled.
	List(ctx context.Context, detail bool) ([]Service, error)
	// Get reads one service by its name without ".service": ErrNoService.
	Get(ctx context.Context, name string, detail bool) (Service, error)
	// Start and Stop wait until the job has ended: ErrNoService, ErrServiceDisabled, ErrServiceDenied,
	// ErrServiceTimeout.
	Start(ctx context.Context, name string) error
	Stop(ctx context.Context, name string) error
	// SetStartMode enables (Auto), disables (Manual) or masks (Disabled) a service.
	SetStartMode(ctx context.Context, name string, mode StartMode) error
}

// StartMode is how a service starts.
type StartMode string

// The start modes that a service can have here.
const (
	StartAuto     StartMode = "Auto"
	StartManual   StartMode = "Manual"
	StartDisabled StartMode = "Disabled"
)

// ServiceDeed is what is done with a service, in the words of systemctl.
type ServiceDeed string

// The deeds.
const (
	ServiceStart   ServiceDeed = "start"
	ServiceStop    ServiceDeed = "stop"
	ServiceEnable  ServiceDeed = "enable"
	ServiceDisable ServiceDeed = "disable"
	ServiceMask    ServiceDeed = "mask"
	ServiceUnmask  ServiceDeed = "unmask"
)

// Service is one service unit, in the words of systemd.
type Service struct {
	Name          string // without ".service"
	Description   string
	LoadState     string // loaded, not-found, masked, ...; "" where it is not loaded
	ActiveState   string // active, inactive, failed, activating, ...; "" where it is not loaded
	SubState      string
	UnitFileState string // enabled, disabled, static, masked, ...

	// With detail only, and zero where the unit is not loaded.
	Detailed       bool
	Type           string // simple, forking, oneshot, ...
	MainPID        uint32
	ExecStart      string // the command line
	User           string // "" is root
	ExecMainStatus int32
	Requires       []string // units that must run, with their suffix
	Wants          []string // units that are started along, with their suffix
}

const serviceDetail uint32 = 1

type serviceRow struct {
	Service
	csName string
}

type serviceColumn = column[serviceRow]

func serviceText(name string, get func(*serviceRow) string) serviceColumn {
	return serviceColumn{name: name, get: func(r *serviceRow) cim.Value { return strOrNull(get(r)) }}
}

// detailed makes a column that is NULL where the manager knows no details.
func detailed(name string, get func(*serviceRow) cim.Value) serviceColumn {
	return serviceColumn{name: name, need: serviceDetail, get: func(r *serviceRow) cim.Value {
		if !r.Detailed {
			return cim.Value{}
		}
		return get(r)
	}}
}

func displayName(r *serviceRow) string {
	if r.Description == "" {
		return r.Name
	}
	return r.Description
}

var serviceTable = &table[serviceRow]{name: "Win32_Service", gather: gatherServices, columns: []serviceColumn{
	{name: "CreationClassName", get: fixedStr[serviceRow]("Win32_Service")},
	{name: "SystemCreationClassName", get: fixedStr[serviceRow]("Win32_ComputerSystem")},
	serviceText("SystemName", func(r *serviceRow) string { return r.csName }),
	serviceText("Name", func(r *serviceRow) string { return r.Name }),
	serviceText("DisplayName", displayName),
	serviceText("Caption", displayName),
	serviceText("Description", func(r *serviceRow) string { return r.Description }),
	serviceText("State", func(r *serviceRow) string { return serviceState(r.ActiveState) }),
	{name: "Started", get: func(r *serviceRow) cim.Value {
		s := serviceState(r.ActiveState)
		if s == "" || s == "Unknown" {
			return cim.Value{}
		}
		return cim.Bool(s != "Stopped")
	}},
	serviceText("Status", func(r *serviceRow) string { return serviceStatus(r.ActiveState) }),
	serviceText("StartMode", func(r *serviceRow) string { return string(startMode(r.UnitFileState, r.LoadState)) }),
	{name: "DelayedAutoStart", get: fixedValue[serviceRow](cim.Bool(false))},
	{name: "DesktopInteract", get: fixedValue[serviceRow](cim.Bool(false))},
	{name: "AcceptPause", get: fixedValue[serviceRow](cim.Bool(false))},
	{name: "AcceptStop", get: func(r *serviceRow) cim.Value {
		if r.ActiveState == "" {
			return cim.Value{}
		}
		return cim.Bool(serviceState(r.ActiveState) == "Running")
	}},
	{name: "ServiceType", get: fixedStr[serviceRow]("Own Process")},
	detailed("ProcessId", func(r *serviceRow) cim.Value { return cim.U32(r.MainPID) }),
	detailed("PathName", func(r *serviceRow) cim.Value { return strOrNull(r.ExecStart) }),
	detailed("StartName", func(r *serviceRow) cim.Value {
		if r.User == "" {
			return cim.Str("root")
		}
		return cim.Str(r.User)
	}),
	detailed("ExitCode", func(r *serviceRow) cim.Value { return cim.U32(uint32(r.ExecMainStatus)) }),
}}

// serviceState maps ActiveState to the values of Win32_Service.State. A unit that is not loaded does not run.
func serviceState(active string) string {
	switch active {
	case "active", "reloading", "refreshing":
		return "Running"
	case "inactive", "failed", "":
		return "Stopped"
	case "activating":
		return "Start Pending"
	case "deactivating":
		return "Stop Pending"
	}
	return "Unknown"
}

func serviceStatus(active string) string {
	switch active {
	case "failed":
		return "Error"
	case "activating":
		return "Starting"
	case "deactivating":
		return "Stopping"
	case "maintenance":
		return "Service"
	case "active", "reloading", "refreshing", "inactive", "":
		return "OK"
	}
	return "Unknown"
}

// startMode maps UnitFileState to the values of Win32_Service.StartMode. Units that something else starts (static,
// indirect, by a socket or a timer) do not start by themselves: Manual.
func startMode(unitFile, load string) StartMode {
	switch unitFile {
	case "enabled", "enabled-runtime":
		return StartAuto
	case "disabled", "static", "indirect", "linked", "linked-runtime", "alias", "transient", "generated":
		return StartManual
	case "masked", "masked-runtime":
		return StartDisabled
	case "":
		if load == "masked" {
			return StartDisabled
		}
	}
	return ""
}

func gatherServices(ctx context.Context, p *Provider, need uint32, q query, f func(*serviceRow) error) error {
	services, err := p.servicesOf(ctx, need&serviceDetail != 0, q, "Name")
	if err != nil {
		return err
	}
	name := p.hostName()
	for i := range services {
		if err := f(&serviceRow{services[i], name}); err != nil {
			return err
		}
	}
	return nil
}

// servicesOf are the services that the query may mean: one, where it fixes the name.
func (p *Provider) servicesOf(ctx context.Context, detail bool, q query, property string) ([]Service, error) {
	if p.o.Services == nil {
		return nil, nil
	}
	name, one := q.text(property)
	if !one {
		return p.o.Services.List(ctx, detail)
	}
	s, err := p.o.Services.Get(ctx, name, detail)
	if err == nil {
		return []Service{s}, nil
	}
	if !errors.Is(err, ErrNoService) {
		return nil, err
	}
	// Names of units are case-sensitive, and those of WMI are not.
	all, err := p.o.Services.List(ctx, detail)
	return slices.DeleteFunc(slices.Clone(all), func(s Service) bool { return !cim.EqualFold(s.Name, name) }), err
}

// dependencyRow says that one service needs another.
type dependencyRow struct {
	server, antecedent, dependent string
	required                      bool
}

var dependentServiceTable = &table[dependencyRow]{name: "Win32_DependentService", gather: gatherDependencies, columns: []column[dependencyRow]{
	{name: "Antecedent", get: func(r *dependencyRow) cim.Value { return serviceRef(r.server, r.antecedent) }},
	{name: "Dependent", get: func(r *dependencyRow) cim.Value { return serviceRef(r.server, r.dependent) }},
	{name: "TypeOfDependency", get: func(r *dependencyRow) cim.Value {
		if r.required {
			return cim.U16(3) // service must be started
		}
		return cim.U16(1) // other: it is started along, and may fail
	}},
}}

func serviceRef(server, name string) cim.Value {
	p := cim.ObjectPath{Server: server, Namespace: Namespace, Class: "Win32_Service",
		Keys: []cim.Key{{Name: "Name", Value: cim.Str(name)}}}
	return cim.Ref(p.String())
}

func gatherDependencies(ctx context.Context, p *Provider, _ uint32, q query, f func(*dependencyRow) error) error {
	if p.o.Services == nil {
		return nil
	}
	all, err := p.o.Services.List(ctx, true)
	if err != nil {
		return err
	}
	known := map[string]bool{}
	for i := range all {
		known[all[i].Name] = true
	}
	for i := range all {
		seen := map[string]bool{}
		for _, list := range []struct {
			units    []string
			required bool
		}{{all[i].Requires, true}, {all[i].Wants, false}} {
			for _, u := range list.units {
				name, isService := strings.CutSuffix(u, ".service")
				if !isService || !known[name] || seen[name] {
					continue
				}
				seen[name] = true
				if err := f(&dependencyRow{q.server, name, all[i].Name, list.required}); err != nil {
					return err
				}
			}
		}
	}
	return nil
}
