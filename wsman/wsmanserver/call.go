package wsmanserver

import (
	"context"
	"errors"
	"net/http"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/casementhq/casement/auth"
	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/registry"
	"github.com/casementhq/casement/settings"
	"github.com/casementhq/casement/wsman"
	"github.com/casementhq/casement/wsman/internal/httpauth"
	"github.com/casementhq/casement/wsman/internal/soap"
	"github.com/casementhq/casement/wsman/winrs"
)

// call is one request on its way through the dispatcher: who calls, what it
// says, and the answer. The handlers of operations are its methods, one file
// for each operation.
type call struct {
	server      *Server
	snap        *settings.Snapshot
	body        []byte
	contentType string
	caller      cim.Caller
	identity    auth.Identity
	mapper      httpauth.Mapper         // of a client certificate: caller and identity are not known yet
	delegated   func() *auth.Delegation // what the caller handed over; nil of a local caller
	local       bool
	uid         uint32 // of a local caller
	machine     string // the host that the client addressed
	chunked     bool

	msg      *wsman.Message
	resource resource
	encoding soap.Encoding
	limit    int           // bytes of the response
	ownLimit bool          // the limit is this service's, not the client's
	asked    time.Duration // OperationTimeout as the client sent it, 0 for none
	effect   bool          // what was asked for is done; only the report of it can fail
	release  []func()

	// undelivered, if not nil, is called where the response could not be sent.
	undelivered func()
}

// writers are reused from call to call: a response is built in memory and sent
// in one piece.
var writers = sync.Pool{New: func() any { return soap.NewWriter(make([]byte, 0, 16<<10)) }}

// maxPooled is the largest buffer that is kept for the next response.
const maxPooled = 4 << 20

// serve answers the request: the HTTP status and the body, valid until done is
// called, which gives back everything that the request held.
func (c *call) serve(ctx context.Context) (status int, answer []byte, done func()) {
	w := writers.Get().(*soap.Writer)
	w.Reset()
	done = func() {
		for _, f := range slices.Backward(c.release) {
			f()
		}
		if cap(w.Bytes()) <= maxPooled {
			writers.Put(w)
		}
	}
	began, code := time.Now(), wsman.Code(0)
	c.limit = int(min(c.snap.WinRM.MaxEnvelopeBytes(), 1<<30))
	c.server.trace.request(c)
	status = http.StatusOK
	answer, err := c.answer(ctx, w)
	if err != nil {
		if c.undelivered != nil {
			c.undelivered()
			c.undelivered = nil
		}
		w.Reset()
		code = c.encodeFault(w, err)
		status, answer = http.StatusInternalServerError, c.encoded(w)
	}
	c.server.trace.response(c, status, answer)
	c.server.o.Observer.Request(c.operationName(), uint32(code), time.Since(began))
	return status, answer, done
}

// answer has the request handled and writes the response, as far as it fits. A
// panic harms this request only and its cause stays in the log.
func (c *call) answer(ctx context.Context, w *soap.Writer) (out []byte, err error) {
	defer func() {
		if p := recover(); p != nil {
			c.server.log.Error("a request made the service panic", "action", c.action(), "panic", p, "stack", string(debug.Stack()))
			err = wsman.NewFault(wsman.CodeProviderFailure, "")
		}
	}()
	header, body, err := c.handle(ctx)
	if err != nil {
		return nil, err
	}
	if id, ok := body.(identifyBody); ok {
		err = wsman.EncodeIdentifyResponse(w, id.IdentifyResponse)
	} else {
		err = wsman.Encode(w, &header, body)
	}
	if err != nil {
		return nil, err
	}
	out = c.encoded(w)
	if len(out) > c.limit {
		return nil, c.tooLarge()
	}
	return out, nil
}

// encoded is what was written in the encoding of the request.
func (c *call) encoded(w *soap.Writer) []byte {
	if c.encoding == soap.UTF8 {
		return w.Bytes()
	}
	return soap.AppendEncoded(nil, w.Bytes(), c.encoding)
}

// tooLarge is the fault for a response that exceeds the envelope: that which
// the client permits, or that of this service. Where the request has had its
// effect, the fault says so. See DSP0226 13.1 and spec 6.
func (c *call) tooLarge() error {
	switch {
	case c.effect:
		return wsman.NewFault(wsman.CodeUnreportableSuccess, "")
	case c.ownLimit:
		return wsman.NewFault(wsman.CodeServerEnvelopeLimit, "")
	}
	return wsman.NewFault(wsman.CodeMaxEnvelopeSizeExceeded, "")
}

// room is how many bytes of UTF-8 the content of the response may have.
func (c *call) room() int {
	n := c.limit - envelopeRoom - len(c.msg.MessageID)
	if c.encoding != soap.UTF8 {
		n /= 2
	}
	return n
}

// handle decodes the request and has it answered.
func (c *call) handle(ctx context.Context) (header wsman.Header, body wsman.Body, err error) {
	c.msg, err = wsman.Decode(c.body, charsetOf(c.contentType))
	if c.msg != nil {
		c.encoding = c.msg.Encoding()
	}
	if err == nil && c.mapper != nil {
		err = c.mapped(ctx)
	}
	if err != nil {
		return header, nil, err
	}
	if !c.local && !c.snap.WinRM.Service.AllowRemoteAccess {
		return header, nil, remoteAccessDisabled(c.snap.WinRM)
	}
	if c.msg.IsIdentify() {
		if c.local {
			return header, nil, wsman.NewFault(wsman.CodeNoLocalIdentify, "")
		}
		return wsman.Header{}, identifyBody{c.server.identity(true)}, nil
	}
	rules := wsman.Rules{
		MaxEnvelopeSize: uint32(min(c.snap.WinRM.MaxEnvelopeBytes(), 1<<32-1)),
		MaxTimeout:      time.Duration(c.snap.WinRM.MaxTimeoutms) * time.Millisecond,
	}
	if c.msg.HasTimeout {
		c.asked = c.msg.OperationTimeout
	}
	c.ownLimit = c.msg.MaxEnvelopeSize == 0 || int64(c.msg.MaxEnvelopeSize) > c.snap.WinRM.MaxEnvelopeBytes()
	if fault := c.msg.Check(rules); fault != nil {
		return header, nil, fault
	}
	if c.msg.MaxEnvelopeSize > 0 {
		c.limit = min(c.limit, int(min(c.msg.MaxEnvelopeSize, 1<<30)))
	}
	if c.msg.CompressionType != "" {
		// A client that asks for it expects compressed streams.
		f := wsman.NewFault(wsman.CodeMustUnderstand, "streams are not compressed here: send no CompressionType")
		f.NotUnderstood = [2]string{"CompressionType", soap.URIShell}
		return header, nil, f
	}
	body, err = c.dispatch(ctx)
	if err != nil {
		return header, nil, err
	}
	header = c.msg.ResponseHeader()
	header.Fragment = c.msg.Header.Fragment // see DSP0226 7.7
	return header, body, nil
}

func (c *call) action() string {
	if c.msg == nil {
		return ""
	}
	return c.msg.Action
}

// timeout is the time that the operation may take: what the client asks for,
// at most MaxTimeoutms. See [MS-WSMV] 3.1.4.1.6.
func (c *call) timeout() time.Duration {
	ceiling := time.Duration(c.snap.WinRM.MaxTimeoutms) * time.Millisecond
	if c.msg.HasTimeout && c.msg.OperationTimeout > 0 && c.msg.OperationTimeout < ceiling {
		return max(c.msg.OperationTimeout, leastTimeout)
	}
	return ceiling
}

// leastTimeout is what shorter times are raised to, as Windows does.
const leastTimeout = 500 * time.Millisecond

// bounded is ctx with the operation timeout.
func (c *call) bounded(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, c.timeout())
}

// operation is what an action asks for.
type operation uint8

const (
	opCustom operation = iota
	opGet
	opPut
	opCreate
	opDelete
	opEnumerate
	opPull
	opRelease
	opSubscribe
	opUnsubscribe
	opRenew
	opCommand
	opReceive
	opSend
	opSignal
	opDisconnect
)

var operations = map[string]operation{
	wsman.ActionGet: opGet, wsman.ActionPut: opPut, wsman.ActionCreate: opCreate, wsman.ActionDelete: opDelete,
	wsman.ActionEnumerate: opEnumerate, wsman.ActionPull: opPull, wsman.ActionRelease: opRelease,
	wsman.ActionSubscribe: opSubscribe, wsman.ActionUnsubscribe: opUnsubscribe, wsman.ActionRenew: opRenew,
	winrs.ActionCommand: opCommand, winrs.ActionReceive: opReceive, winrs.ActionSend: opSend, winrs.ActionSignal: opSignal,
	winrs.ActionDisconnect: opDisconnect, winrs.ActionReconnect: opDisconnect, winrs.ActionConnect: opDisconnect,
}

// dispatch finds the resource, asks gate 5, and calls the operation.
func (c *call) dispatch(ctx context.Context) (wsman.Body, error) {
	uri := c.msg.ResourceURI
	if uri == "" {
		return nil, wsman.NewFault(wsman.CodeInvalidResourceURI, "the message names no resource")
	}
	op := operations[c.msg.Action]
	kind, res := c.server.route(uri)
	c.resource = res
	if kind == kindUnknown {
		return nil, wsman.NewFault(wsman.CodeInvalidResourceURI, "no resource answers to "+clip(uri))
	}
	if err := c.authorize(ctx, op, uri); err != nil {
		return nil, err
	}
	if c.chunked && kind == kindShell {
		return nil, wsman.NewFault(wsman.CodeNotSupported, "The request is not supported.").WithSubcode("w:InternalError", wsman.Receiver)
	}
	if err := c.fragmentAllowed(kind, op); err != nil {
		return nil, err
	}
	if err := c.optionsAllowed(kind); err != nil {
		return nil, err
	}
	if op == opGet || op == opDelete {
		// Nobody reads their bodies; broken XML is no request all the same.
		if err := c.msg.End(); err != nil {
			return nil, err
		}
	}
	switch kind {
	case kindConfig:
		return c.config(ctx, op)
	case kindShell:
		return c.shell(ctx, op)
	case kindMetadata:
		return c.metadata(ctx, op)
	}
	return c.cim(ctx, op)
}

// fragmentAllowed answers FragmentTransfer where it cannot be. See [MS-WSMV]
// 3.1.4.1.18.
func (c *call) fragmentAllowed(kind kind, op operation) error {
	if c.msg.Header.Fragment == nil {
		return nil
	}
	switch {
	case kind == kindShell:
		return wsman.NewFault(wsman.CodeFragmentTransferNotSupported, "")
	case kind != kindCIM || op != opGet && op != opPut:
		return wsman.NewFault(wsman.CodeActionNotSupported, "a fragment can be read and written of a CIM instance only")
	}
	return nil
}

// optionsAllowed refuses options that the client insists on and nobody here
// knows. CIM resources take every option, as on Windows. See [MS-WSMV]
// 3.1.4.1.10, notes 50 and 52.
func (c *call) optionsAllowed(kind kind) error {
	if kind == kindCIM || kind == kindMetadata {
		return nil
	}
	for _, o := range c.msg.Options {
		if !o.MustComply {
			continue
		}
		if kind != kindShell {
			return wsman.NewFault(wsman.CodeOptionsNotSupported, "this resource knows no options")
		}
		if !slices.ContainsFunc(shellOptions, func(known string) bool { return strings.EqualFold(known, o.Name) }) {
			return wsman.NewFault(wsman.CodeOptionsInvalidName, "no option of a shell is called "+clip(o.Name))
		}
	}
	return nil
}

// shellOptions are the options that the messages of a shell may have.
var shellOptions = []string{
	winrs.OptionNoProfile, winrs.OptionCodePage, winrs.OptionConsoleStdin, winrs.OptionSkipShell, winrs.OptionKeepAlive,
}

func (c *call) responseType() string {
	if c.encoding != soap.UTF8 {
		return "application/soap+xml;charset=UTF-16"
	}
	return contentTypeUTF8
}

// encodeFault writes the fault that tells of an error, and returns its code.
func (c *call) encodeFault(w *soap.Writer, err error) wsman.Code {
	f := c.fault(err)
	if f.Machine == "" {
		f.Machine = c.machine
	}
	for p := f.Provider; p != nil && p.Fault != nil; p = p.Fault.Provider {
		if p.Fault.Machine == "" {
			p.Fault.Machine = c.machine
		}
	}
	if f.Err != nil {
		c.server.log.Debug("a request failed", "action", c.action(), "user", c.identity, "fault", f)
	}
	request := &wsman.Header{}
	if c.msg != nil {
		request = &c.msg.Header
	}
	header := request.FaultHeader(f)
	if err := wsman.Encode(w, &header, f); err != nil {
		c.server.log.Error("a fault cannot be written", "error", err)
	}
	return f.Code
}

// clip shortens what a peer sent before it goes into a message.
func clip(s string) string {
	if len(s) > 200 {
		s = s[:200] + "…"
	}
	return strings.ToValidUTF8(s, "?")
}

// fault turns any error into the fault that the peer may see.
func (c *call) fault(err error) *wsman.Fault {
	var f *wsman.Fault
	var value *cim.Error
	if errors.As(err, &f) {
		if f.Code == wsman.CodeInvalidXML && errors.As(f.Err, &value) {
			return cimFault(value) // well-formed, but no instance
		}
		copied := *f
		return &copied
	}
	return faultOf(err)
}

// remoteAccessDisabled says who switched remote requests off.
func remoteAccessDisabled(w *settings.WinRM) *wsman.Fault {
	if w.Source("Service/AllowRemoteAccess") == registry.SourceGPO {
		return wsman.NewFault(wsman.CodeRemoteAccessDisabled, "Group Policy does not permit remote access to this service")
	}
	return wsman.NewFault(wsman.CodeRemoteAccessDisabled, "remote management of this machine is switched off; Configure-SMRemoting.exe -enable there switches it on")
}
