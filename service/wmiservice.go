package service

import (
	"context"

	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/cimom"
	"github.com/casementhq/casement/security"
)

// wmiService shows WMI over DCOM, and starts and stops it, over CIM: 'net stop
// winmgmt' ends here.
type wmiService struct{ host *dcomHost }

// The values that the methods return, which are those of Win32_Service.
const (
	serviceDone           = 0
	serviceDenied         = 2
	serviceNotActive      = 6
	serviceAlreadyRunning = 10
)

var wmiServiceClass = cim.NewClass("Casement_WMIService", nil).Dynamic().Singleton().
	Qualifier(cim.Qualifier{Name: "Provider", Value: cim.Str(wmiServiceName)}).
	Description("WMI over DCOM as this machine serves it. Its port and its authentication level count when it starts.").
	Property("Started", cim.Boolean, cim.Describes("Whether it is served.")).
	Property("ResolverAddress", cim.String, cim.Describes("Where the endpoint mapper and the activator listen; NULL where it is not served.")).
	Property("Address", cim.String, cim.Describes("Where WMI itself listens.")).
	Property("AuthenticationLevel", cim.Uint32, cim.Describes("The least authentication level of a call, 2 to 6.")).
	Property("Error", cim.String, cim.Describes("Why it is not served though it should be.")).
	Method("StartService", cim.Uint32).
	Method("StopService", cim.Uint32).
	Build("root")

const wmiServiceName = "CasementWMIService"

// ProviderName is the name by which the provider is known.
func (*wmiService) ProviderName() string { return wmiServiceName }

// Classes implements cimom.Provider.
func (*wmiService) Classes() []*cim.Class { return []*cim.Class{wmiServiceClass} }

// List implements cimom.InstanceLister.
func (w *wmiService) List(_ context.Context, r *cimom.Request, yield func(*cim.Instance) error) error {
	now := w.host.status()
	i := cim.NewInstance(r.Class)
	set := func(name string, v cim.Value) { _ = i.Set(name, v) } // the class is the one above
	set("Started", cim.Bool(now.Resolver != ""))
	if now.Resolver != "" {
		set("ResolverAddress", cim.Str(now.Resolver))
		set("Address", cim.Str(now.WMI))
		set("AuthenticationLevel", cim.U32(now.Level))
	}
	if now.Err != nil {
		set("Error", cim.Str(now.Err.Error()))
	}
	return yield(i)
}

// Invoke implements cimom.MethodInvoker. Administrators of this machine start and
// stop it here, not over a transport that might be the one in question.
func (w *wmiService) Invoke(ctx context.Context, r *cimom.Request, _ cim.ObjectPath, method string, _ cim.Arguments) (cim.Result, error) {
	if r.Caller.Remote || r.Caller.Token == nil || !r.Caller.Token.Has(security.SIDAdministrators) {
		return cim.Result{ReturnValue: cim.U32(serviceDenied)}, nil
	}
	run := cim.EqualFold(method, "StartService")
	changed, err := w.host.set(context.WithoutCancel(ctx), run)
	if err != nil {
		return cim.Result{}, &cim.Error{Status: cim.ErrFailed, Operation: method, Detail: err.Error(), Err: err}
	}
	code := uint32(serviceDone)
	switch {
	case !changed && run:
		code = serviceAlreadyRunning
	case !changed:
		code = serviceNotActive
	}
	return cim.Result{ReturnValue: cim.U32(code)}, nil
}
