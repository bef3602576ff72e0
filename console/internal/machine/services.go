package machine

import (
	"context"
	"sort"
	"strings"

	"github.com/casementhq/casement/cim"
)

// Service is a service of the server. See Win32_Service.
type Service struct {
	Name        string `json:"name"`
	DisplayName string `json:"display_name"`
	Status      string `json:"status"`     // Running, Stopped, Paused, Start Pending, …
	StartType   string `json:"start_type"` // Auto, Manual, Disabled, Boot, System
	// Delayed is nil where the server does not tell.
	Delayed *bool  `json:"delayed,omitempty"`
	Account string `json:"account,omitempty"`
	Path    string `json:"path,omitempty"`
	Process uint64 `json:"process,omitempty"` // 0: none
	// ExitCode is that of its last end; nil where it is not known.
	ExitCode    *uint64 `json:"exit_code,omitempty"`
	Description string  `json:"description,omitempty"`
	AcceptStop  *bool   `json:"accept_stop,omitempty"`
	AcceptPause *bool   `json:"accept_pause,omitempty"`
}

// NeedsYou tells whether a service should run and does not: it starts by itself,
// and is stopped with an exit code other than 0, or without one.
func (s Service) NeedsYou() bool {
	return strings.EqualFold(s.StartType, "Auto") && strings.EqualFold(s.Status, "Stopped") && (s.ExitCode == nil || *s.ExitCode != 0)
}

// Runs tells whether a service runs, so that it can be stopped and not started.
func (s Service) Runs() bool { return strings.EqualFold(s.Status, "Running") }

// StartText is the start type as it is shown.
func (s Service) StartText() string {
	if s.Delayed != nil && *s.Delayed {
		return s.StartType + " (delayed)"
	}
	return s.StartType
}

// maxServices bounds a list of services.
const maxServices = 5000

// Services lists the services by name. cut tells that there are more.
func Services(ctx context.Context, s cim.Session) (list []Service, cut bool, err error) {
	cut, err = rows(ctx, s, "SELECT * FROM Win32_Service", maxServices, func(r row) { list = append(list, serviceOf(r)) })
	sort.Slice(list, func(i, j int) bool { return strings.ToLower(list[i].Name) < strings.ToLower(list[j].Name) })
	return list, cut, err
}

func serviceOf(r row) Service {
	return Service{
		Name: r.text("Name"), DisplayName: r.text("DisplayName"), Status: r.text("State"), StartType: r.text("StartMode"),
		Delayed: r.flag("DelayedAutoStart"), Account: r.text("StartName"), Path: r.text("PathName"), Process: r.or("ProcessId", 0),
		ExitCode: r.number("ExitCode"), Description: r.text("Description"), AcceptStop: r.flag("AcceptStop"), AcceptPause: r.flag("AcceptPause"),
	}
}

// Dependents are the running services that need one, and would be stopped with
// it.
func Dependents(ctx context.Context, s cim.Session, name string) (list []Service, err error) {
	_, err = rows(ctx, s, "ASSOCIATORS OF {Win32_Service.Name="+Quote(name)+"} WHERE AssocClass=Win32_DependentService ResultClass=Win32_Service Role=Antecedent",
		maxServices, func(r row) {
			if d := serviceOf(r); strings.EqualFold(d.Status, "Running") {
				list = append(list, d)
			}
		})
	return list, err
}
