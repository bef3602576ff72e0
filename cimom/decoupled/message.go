package decoupled

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"

	"github.com/casementhq/casement/cim"
)

// Protocol is the version of the protocol.
const Protocol = 1

// Limits of a message.
const (
	MaxLine    = 4 << 20 // bytes of one line
	maxNesting = 64      // embedded objects and arrays within each other (WBEM_MAX_OBJECT_NESTING)
)

// The operations of a request.
const (
	opEnumerate   = "enumerate"
	opGet         = "get"
	opCreate      = "create"
	opPut         = "put"
	opDelete      = "delete"
	opInvoke      = "invoke"
	opAssociators = "associators"
	opEvents      = "events"
	opConsume     = "consume"
)

// hello is the first line of a provider.
type hello struct {
	Register  string `json:"register"`             // the name of its __Win32Provider
	Namespace string `json:"namespace"`            // where that instance is
	Protocol  int    `json:"protocol"`             // 1
	Welcome   bool   `json:"registered,omitempty"` // the service's answer
	Error     *fault `json:"error,omitempty"`
}

// request is what the service asks.
type request struct {
	Op         string                     `json:"op"`
	Namespace  string                     `json:"namespace"`
	Class      string                     `json:"class"`
	Properties []string                   `json:"properties,omitempty"` // those that are wanted, or to be written; absent: all
	Where      map[string]json.RawMessage `json:"where,omitempty"`      // values that every result has
	Path       map[string]json.RawMessage `json:"path,omitempty"`       // the keys of the object
	Method     string                     `json:"method,omitempty"`
	In         map[string]json.RawMessage `json:"in,omitempty"`
	Instance   json.RawMessage            `json:"instance,omitempty"`
	Source     string                     `json:"source,omitempty"` // path of the object whose associations are wanted
	Role       string                     `json:"role,omitempty"`
	Events     []json.RawMessage          `json:"events,omitempty"`
	Caller     callerFacts                `json:"caller"`
	Locales    []string                   `json:"locales,omitempty"`
	Context    map[string]json.RawMessage `json:"context,omitempty"`
}

// callerFacts are what a provider may know of the caller.
type callerFacts struct {
	Account string `json:"account,omitempty"` // DOMAIN\name
	SID     string `json:"sid,omitempty"`
	Remote  bool   `json:"remote,omitempty"`
}

// reply is one line of an answer: an instance, the end, or a failure.
type reply struct {
	Instance map[string]any `json:"instance"`
	Done     bool           `json:"done"`
	Return   any            `json:"return"`
	Out      map[string]any `json:"out"`
	Error    *fault         `json:"error"`
}

// fault is a failure.
type fault struct {
	Code string `json:"code"` // "0x80041002"
	Text string `json:"text,omitempty"`
}

func (f *fault) err() error {
	code, err := strconv.ParseUint(f.Code, 0, 32)
	status := cim.Status(code)
	if err != nil || code < 0x80000000 {
		status = cim.ErrProviderFailure
	}
	return &cim.Error{Status: status, Detail: clip(f.Text, 512), Remote: true}
}

func faultOf(err error) *fault {
	f := &fault{Code: fmt.Sprintf("0x%08X", uint32(cim.StatusOf(err)))}
	var e *cim.Error
	if errors.As(err, &e) {
		f.Text = e.Detail
	}
	if f.Text == "" && cim.StatusOf(err) == cim.ErrFailed {
		f.Text = err.Error()
	}
	return f
}

func clip(s string, n int) string {
	if len(s) > n {
		return s[:n]
	}
	return s
}

// errProtocol is what a peer gets wrong.
type errProtocol struct{ why string }

func (e *errProtocol) Error() string { return "the other side breaks the protocol: " + e.why }

func broken(format string, args ...any) error { return &errProtocol{fmt.Sprintf(format, args...)} }

// decode reads one line strictly enough that nothing is taken for something
// else: one JSON value, numbers exact, fields that are not known left alone.
func decode(line []byte, into any) error {
	d := json.NewDecoder(bytes.NewReader(line))
	d.UseNumber()
	if err := d.Decode(into); err != nil {
		return broken("%v", err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return broken("more than one value in a line")
	}
	return nil
}
