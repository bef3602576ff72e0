package wsmanclient_test

import (
	"io"
	"net/http"
	"sync"
	"testing"

	"github.com/casementhq/casement/wsman"
	"github.com/casementhq/casement/wsman/winrs"
)

// fake is a service whose answers a test makes. It checks nothing and keeps
// what came.
type fake struct {
	t *testing.T
	// answer returns the body of the response, or a *wsman.Fault. It may hang
	// up by http.ErrAbortHandler.
	answer func(m *wsman.Message) (wsman.Body, error)

	mu   sync.Mutex
	came []string // actions, their last part
	size int      // of the largest request
}

func (f *fake) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	b, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	m, err := wsman.Decode(b, "")
	if err != nil {
		f.t.Errorf("%v in %s", err, b)
		return
	}
	f.mu.Lock()
	f.came = append(f.came, last(m.Action))
	f.size = max(f.size, len(b))
	f.mu.Unlock()
	body, err := f.answer(m)
	status, h := http.StatusOK, m.ResponseHeader()
	if code, ok := err.(httpStatus); ok {
		w.WriteHeader(int(code))
		return
	}
	if fault, ok := err.(*wsman.Fault); ok {
		status, h, body = http.StatusInternalServerError, m.FaultHeader(fault), fault
	}
	out, err := wsman.AppendMessage(nil, &h, body)
	if err != nil {
		f.t.Error(err)
	}
	w.Header().Set("Content-Type", "application/soap+xml;charset=UTF-8")
	w.WriteHeader(status)
	w.Write(out) //nolint:errcheck // the client notices
}

// httpStatus is an answer without SOAP.
type httpStatus int

func (s httpStatus) Error() string { return http.StatusText(int(s)) }

func last(action string) string {
	for i := len(action) - 1; i >= 0; i-- {
		if action[i] == '/' {
			return action[i+1:]
		}
	}
	return action
}

// count tells how many messages of an action came.
func (f *fake) count(action string) (n int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, a := range f.came {
		if a == action {
			n++
		}
	}
	return n
}

const command = "C0000000-0000-0000-0000-000000000001"

// created is the answer to a Create.
func created(id string) wsman.Body {
	return &wsman.ResourceCreated{EPR: wsman.EPR{Address: wsman.Anonymous, ResourceURI: wsman.ResourceCmd,
		Selectors: wsman.SelectorSet{{Name: "ShellId", Value: id}}}}
}

// done is the answer that ends a command.
func done(code uint32, streams ...winrs.Stream) wsman.Body {
	return &winrs.ReceiveResponse{Streams: streams, CommandID: command, State: winrs.Done, HasExitCode: true, ExitCode: code}
}
