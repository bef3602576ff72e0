//go:build unix

package wsmanbench

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"os"

	"github.com/casementhq/casement/cim/cimtest"
	"github.com/casementhq/casement/cimom"
	"github.com/casementhq/casement/providers/static"
	"github.com/casementhq/casement/registry"
	"github.com/casementhq/casement/service"
	"github.com/casementhq/casement/settings"
)

// instances is how many objects the static provider has.
const instances = 5000

// cannedHTTP is the floor: net/http answers each request with the same bytes,
// those of Casement's own answer to Identify in length.
func cannedHTTP() (server, error) {
	l, err := listen()
	if err != nil {
		return server{}, err
	}
	answer := make([]byte, 1013)
	for i := range answer {
		answer[i] = 'x'
	}
	h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = r.Body.Read(make([]byte, 1024))
		w.Header().Set("Content-Type", "application/soap+xml;charset=UTF-8")
		_, _ = w.Write(answer)
	})
	go http.Serve(l, h) //nolint:errcheck,gosec // ends with the process
	return server{URL: "http://" + l.Addr().String() + "/wsman"}, nil
}

// wholeService runs Casement itself, over this host or over the static
// provider, with Basic and Negotiate over HTTP.
func wholeService(provider string) (server, error) {
	dir, err := os.MkdirTemp("", "casement-bench-")
	if err != nil {
		return server{}, err
	}
	o := service.Options{}
	if provider == "static" {
		m := cimom.New(cimom.Options{})
		class := cimtest.ProcessClass(`root\cimv2`)
		p := static.New(class)
		if err := errors.Join(p.Add(cimtest.Processes(class, instances)...), m.Register(p)); err != nil {
			return server{}, err
		}
		o.Opener = m
	}
	s, stop, err := runService(dir, o)
	closeService = func() {
		stop()
		_ = os.RemoveAll(dir)
	}
	return s.http, err
}

type running struct {
	http, https server
	service     *service.Service
}

// runService starts a service over a state folder.
func runService(dir string, o service.Options) (run running, stop func(), err error) {
	o.Logger = slog.New(slog.DiscardHandler)
	stop = func() {}
	state, err := service.OpenState(dir, service.StateOptions{Create: true, Service: true, Logger: o.Logger})
	if err != nil {
		return run, stop, err
	}
	made, err := state.Bootstrap(service.BootstrapOptions{HTTP: "127.0.0.1:0", HTTPS: "127.0.0.1:0"})
	if err != nil {
		return run, stop, err
	}
	err = state.Hive.Update(func(tx *registry.Tx) error {
		changes, err := state.Snapshot().WinRM.Validate(settings.URIConfig, []settings.NameValue{
			{Name: "Service/AllowUnencrypted", Value: "true"}, {Name: "Service/Auth/Basic", Value: "true"}})
		if err != nil {
			return err
		}
		return settings.Apply(tx, changes)
	})
	if err != nil {
		return run, stop, err
	}
	if o.Listen == nil {
		o.Listen = func(ctx context.Context, network, address string) (net.Listener, error) {
			var lc net.ListenConfig
			return lc.Listen(ctx, network, address)
		}
	}
	run.http = server{URL: made.HTTP, User: made.User, Password: made.Password}
	run.https = server{URL: made.HTTPS, User: made.User, Password: made.Password}
	if run.service, err = service.New(state, o); err != nil {
		return run, stop, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	ready, done := make(chan struct{}), make(chan error, 1)
	go func() { done <- run.service.Serve(ctx, func() { close(ready) }) }()
	select {
	case <-ready:
	case err = <-done:
	}
	return run, func() {
		cancel()
		<-done
		_ = run.service.Close()
		_ = state.Close()
	}, err
}
