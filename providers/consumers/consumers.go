package consumers

import (
	"context"
	"embed"
	"log/slog"
	"net"
	"sync"
	"time"

	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/cim/mof"
	"github.com/casementhq/casement/cimom"
	"github.com/casementhq/casement/cimom/schema"
	"github.com/casementhq/casement/shell"
)

// Options are what the provider needs from the program around it. What is nil
// is refused with ErrAccessDenied.
type Options struct {
	// Starter starts the programs of CommandLineEventConsumer, and Identity is
	// the Unix user as whom those of a creator run.
	Starter  shell.Starter
	Identity func(creator cim.Caller) (shell.Identity, error)
	// AppendLine appends the line of a LogFileEventConsumer to its file as the
	// creator: what [AppendLine] does, in a process of that user. It is not
	// called for two files of one folder at once. Where it has not returned when
	// ctx ends, nobody waits for it any longer, and further lines for that folder
	// fail until it has.
	AppendLine func(ctx context.Context, creator cim.Caller, l Line) error
	// Report writes a record of an NTEventLogEventConsumer to the log of the
	// system.
	Report func(ctx context.Context, creator cim.Caller, r Record) error
	// Dial connects to the server of an SMTPEventConsumer.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
	// MachineName is this machine's name in mails and in UNCServerName.
	MachineName string
	// Now is the clock; nil is time.Now.
	Now func() time.Time
	// Log gets what becomes of programs; nil discards it.
	Log *slog.Logger
}

// Provider is the physical side of the standard consumers. It is safe for
// concurrent use.
type Provider struct {
	o       Options
	classes []*cim.Class
	folders folders

	mu      sync.Mutex
	closed  bool
	stop    chan struct{}
	running int
	done    sync.WaitGroup
}

var _ cimom.EventConsumer = (*Provider)(nil)

//go:embed schema/*.mof
var schemaFiles embed.FS

// New makes the provider.
func New(o Options) (*Provider, error) {
	base, _, err := mof.Definitions(schema.Files, "common.mof", "events.mof")
	if err != nil {
		return nil, err
	}
	classes, _, err := mof.DefinitionsOn(base, schemaFiles, "schema/consumers.mof")
	if err != nil {
		return nil, err
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return &Provider{o: o, classes: classes, stop: make(chan struct{})}, nil
}

// ProviderName is the name that the manager knows the provider by.
func (p *Provider) ProviderName() string { return "CasementConsumers" }

// Classes are the five standard consumers, in root\subscription. Their
// superclass is the object manager's.
func (p *Provider) Classes() []*cim.Class { return p.classes }

// Close ends the programs that still run and waits for them. Further events
// are refused with ErrShuttingDown.
func (p *Provider) Close() error {
	p.mu.Lock()
	if !p.closed {
		p.closed = true
		close(p.stop)
	}
	p.mu.Unlock()
	p.done.Wait()
	return nil
}

// kind is what one class of consumers does.
type kind struct {
	class   string
	check   func(c *cim.Instance) error
	consume func(p *Provider, ctx context.Context, creator cim.Caller, c *cim.Instance, x *expansion) error
}

var kinds = []kind{
	{"CommandLineEventConsumer", checkCommandLine, (*Provider).runCommand},
	{"LogFileEventConsumer", checkLogFile, (*Provider).appendLine},
	{"NTEventLogEventConsumer", checkEventLog, (*Provider).report},
	{"ActiveScriptEventConsumer", checkScript, (*Provider).refuseScript},
	{"SMTPEventConsumer", checkMail, (*Provider).sendMail},
}

func kindOf(consumer *cim.Instance) (*kind, error) {
	for n := range kinds {
		if consumer.Class().IsA(kinds[n].class) {
			return &kinds[n], nil
		}
	}
	return nil, &cim.Error{Status: cim.ErrInvalidClass, Detail: consumer.Class().Name + " is no standard consumer"}
}

// CheckConsumer tells whether a consumer may be stored: ErrInvalidParameter
// where its properties do not fit together, ErrProviderNotCapable for a script.
// See spec/wmi.md 5.4.
func (p *Provider) CheckConsumer(consumer *cim.Instance) error {
	k, err := kindOf(consumer)
	if err != nil {
		return err
	}
	if err := k.check(consumer); err != nil {
		return err
	}
	if k.class == "ActiveScriptEventConsumer" {
		return noScripts()
	}
	return nil
}

// Consume handles events, one after the other. One that fails keeps none of
// the others; the first failure is returned.
func (p *Provider) Consume(ctx context.Context, r *cimom.Request, consumer *cim.Instance, events []*cim.Instance) error {
	k, err := kindOf(consumer)
	if err != nil {
		return err
	}
	if err := k.check(consumer); err != nil {
		return err
	}
	var failure error
	for _, e := range events {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := k.consume(p, ctx, r.Caller, consumer, &expansion{e, mof.AppendInstance}); err != nil && failure == nil {
			failure = err
		}
	}
	return failure
}

// text is a string property of a consumer; ok is false for NULL.
func text(c *cim.Instance, name string) (s string, ok bool) { return c.Get(name).Str() }

// filled is a template of a consumer, filled; "" for NULL.
func filled(c *cim.Instance, name string, x *expansion) (string, error) {
	template, _ := text(c, name)
	return x.expand(template)
}

func invalid(detail string) error { return &cim.Error{Status: cim.ErrInvalidParameter, Detail: detail} }

// failed is a failure with its reason, which its creator and administrators
// read.
func failed(detail string, err error) error {
	return &cim.Error{Status: cim.ErrFailed, Detail: detail + ": " + err.Error(), Err: err}
}

func denied(detail string) error { return &cim.Error{Status: cim.ErrAccessDenied, Detail: detail} }
