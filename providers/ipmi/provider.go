package ipmi

import (
	"context"
	"errors"
	"log/slog"
	"sync"

	"github.com/bougou/go-ipmi/pkg/client"
	"github.com/bougou/go-ipmi/pkg/types"

	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/cimom"
	"github.com/casementhq/casement/security"
)

// Namespace is where the classes belong; Microsoft_IPMI is in root\wmi.
const Namespace = `root\hardware`

// ProviderName is the Provider qualifier of every class.
const ProviderName = "IPMIPrv"

// Options are what the provider works on.
type Options struct {
	// Store is the list of BMCs. It is required.
	Store *Store
	// Root is the folder below which /sys and /dev are looked at for a BMC of this machine; "" is "/".
	Root string
	// Domain is the Name of the AdminDomain, the name of this host.
	Domain string
	// Log gets what BMCs do not answer, and thresholds that they ignore; nil discards it.
	Log *slog.Logger
}

// Provider gives the objects of the BMCs in the list. It is safe for concurrent use. Close ends its connections.
type Provider struct {
	store  *Store
	root   string
	domain string
	log    *slog.Logger
	pace   pace

	mu     sync.Mutex
	bmcs   map[string]*bmc // by folded name
	reason string          // why there is no BMC, as it was logged
	closed bool
}

var (
	_ cimom.InstanceLister = (*Provider)(nil)
	_ cimom.InstanceWriter = (*Provider)(nil)
	_ cimom.MethodInvoker  = (*Provider)(nil)
	_ cimom.Named          = (*Provider)(nil)
)

// New makes a provider. It asks no BMC.
func New(o Options) *Provider {
	p := &Provider{store: o.Store, root: o.Root, domain: o.Domain, log: o.Log, pace: usualPace, bmcs: map[string]*bmc{}}
	if p.root == "" {
		p.root = "/"
	}
	if p.log == nil {
		p.log = slog.New(slog.DiscardHandler)
	}
	return p
}

// ProviderName is the name by which the provider is known.
func (p *Provider) ProviderName() string { return ProviderName }

// Close ends the connections to all BMCs and the requests that are under way.
func (p *Provider) Close() error {
	p.mu.Lock()
	p.closed = true
	all := p.bmcs
	p.bmcs = nil
	p.mu.Unlock()
	for _, b := range all {
		b.close()
	}
	return nil
}

// enabled are the BMCs that are to be asked, as the list has them now. Those that left it are closed.
func (p *Provider) enabled() (out []*bmc, err error) {
	devices, err := p.store.Devices()
	if err != nil {
		p.log.Warn("the list of BMCs cannot be read", "error", err)
		return nil, &cim.Error{Status: cim.ErrFailed, Detail: "the list of BMCs cannot be read", Err: err}
	}
	reason := "no BMC was added; 'casement ipmi add' adds one"
	p.mu.Lock()
	if p.closed {
		p.mu.Unlock()
		return nil, &cim.Error{Status: cim.ErrShuttingDown}
	}
	old := p.bmcs
	p.bmcs = map[string]*bmc{}
	for _, d := range devices {
		if d.Disabled {
			reason = "every BMC is disabled; 'casement ipmi enable' uses it again"
			continue
		}
		number := 0
		if d.Local() {
			local := Discover(p.root)
			if len(local.Devices) == 0 {
				reason = "the kernel has no driver for the BMC of this machine (" + local.String() + "); 'casement ipmi add' loads it"
				continue
			}
			number, _ = deviceNumber(local.Devices[0])
		}
		key := cim.Fold(d.Name)
		b := old[key]
		if b == nil || b.device != d || b.number != number {
			b = newBMC(d, number, p.log, p.pace)
		} else {
			delete(old, key)
		}
		p.bmcs[key] = b
		out = append(out, b)
	}
	if len(out) > 0 {
		reason = ""
	}
	if reason != "" && reason != p.reason {
		p.log.Info("the IPMI classes are empty", "reason", reason)
	}
	p.reason = reason
	p.mu.Unlock()
	for _, b := range old {
		b.close()
	}
	return out, nil
}

// call is one List.
type call struct {
	p     *Provider
	r     *cimom.Request
	yield func(*cim.Instance) error
}

// lists are how the instances of each class come about, by folded name.
var lists = map[string]func(c *call, ctx context.Context) error{
	"admindomain":             (*call).domains,
	"computersystem":          (*call).computers,
	"sensor":                  (*call).plainSensors,
	"numericsensor":           (*call).numericSensors,
	"recordlog":               (*call).logs,
	"logrecord":               (*call).records,
	"account":                 (*call).accounts,
	"casement_systemindomain": (*call).systemsInDomain,
	"casement_sensorofsystem": (*call).sensorsOfSystems,
	"casement_logofsystem":    (*call).logsOfSystems,
	"microsoft_ipmi":          (*call).drivers,
}

// List yields the instances of r.Class. A BMC that does not answer has none; where none of those that were asked
// answers, List fails. See [cimom.InstanceLister].
func (p *Provider) List(ctx context.Context, r *cimom.Request, yield func(*cim.Instance) error) error {
	list, ok := lists[cim.Fold(r.Class.Name)]
	if !ok { // a definition only
		return nil
	}
	c := &call{p, r, yield}
	return list(c, ctx)
}

// each asks the BMCs one after the other: gather has the connection, emit yields what it gathered. The constraint on
// the property named by key says which BMC is meant, if one is.
func (c *call) each(ctx context.Context, key string, gather func(ctx context.Context, b *bmc, conn *client.Client) error, emit func(d Device) error) error {
	bmcs, err := c.p.enabled()
	if err != nil {
		return err
	}
	only, fixed := c.r.Constraint(key)
	var failed error
	good := false
	for _, b := range bmcs {
		if name, _ := only.Str(); fixed && !cim.EqualFold(name, c.keyOf(key, b.device)) {
			continue
		}
		err := b.use(ctx, func(ctx context.Context, conn *client.Client) error { return gather(ctx, b, conn) })
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil {
			failed = unreachable(b.device, err)
			continue
		}
		good = true
		if err := emit(b.device); err != nil {
			return err
		}
	}
	if !good {
		return failed
	}
	return nil
}

// keyOf is the value that a key has in the objects of a BMC.
func (c *call) keyOf(key string, d Device) string {
	switch key {
	case "InstanceID", "LogName":
		return logName(d.Name)
	}
	return d.Name
}

// unreachable is the error of a BMC for callers.
func unreachable(d Device, err error) error {
	var ours *cim.Error
	if errors.As(err, &ours) {
		return err
	}
	detail := "the BMC " + d.Name + " does not answer"
	switch code, ok := completion(err); {
	case ok:
		detail = "the BMC " + d.Name + " refuses the request: " + code.String()
	case errors.Is(err, ErrCredentials):
		detail = "the BMC " + d.Name + " refuses the user or the password"
	}
	return &cim.Error{Status: cim.ErrFailed, Detail: detail, Err: err}
}

// isAdministrator tells whether a caller may change a BMC and see its users.
func isAdministrator(c cim.Caller) bool {
	return c.Token != nil && c.Token.Has(security.SIDAdministrators)
}

// errAdministratorsOnly is the error of everybody else.
func errAdministratorsOnly(path, what string) error {
	return &cim.Error{Status: cim.ErrAccessDenied, Path: path, Detail: what + " is for administrators"}
}

// emit yields one object.
func (c *call) emit(o *object) error {
	if o.err != nil {
		return o.err
	}
	return c.yield(o.Instance)
}

// computer is what a BMC tells about its computer and itself.
type computer struct {
	manufacturer, product string
	firmware, version     string
	power, fault, known   bool // known: the chassis status was told
}

func readComputer(ctx context.Context, conn *client.Client) (out computer, err error) {
	id, err := conn.GetDeviceID(ctx)
	if err != nil {
		return out, err
	}
	out.manufacturer, out.product = itoa(id.ManufacturerID), itoa(uint32(id.ProductID))
	out.firmware = itoa(uint32(id.MajorFirmwareRevision)) + "." + hexBytes([]byte{id.MinorFirmwareRevision}) // BCD
	out.version = itoa(uint32(id.MajorIPMIVersion)) + "." + itoa(uint32(id.MinorIPMIVersion))
	status, err := conn.GetChassisStatus(ctx)
	if err == nil {
		out.known, out.power = true, status.PowerIsOn
		out.fault = status.PowerFault || status.PowerControlFault || status.PowerOverload
	} else if _, refused := completion(err); !refused {
		return out, err
	}
	return out, nil
}

func (c *call) computers(ctx context.Context) error {
	var found computer
	return c.each(ctx, "Name", func(ctx context.Context, _ *bmc, conn *client.Client) (err error) {
		found, err = readComputer(ctx, conn)
		return err
	}, func(d Device) error {
		o := newObject(c.r.Class)
		o.text("CreationClassName", computerClass)
		o.text("Name", d.Name)
		o.text("ElementName", d.Name)
		o.text("Caption", d.Name)
		o.text("Description", "The computer of the BMC at "+d.Address())
		o.set("OtherIdentifyingInfo", cim.Strs([]string{found.manufacturer, found.product, found.firmware, found.version}))
		o.set("IdentifyingDescriptions", cim.Strs([]string{"Manufacturer (IANA enterprise number)", "Product", "Firmware of the BMC", "IPMI version"}))
		const on, off, stopped = 2, 3, 10
		if found.known {
			state, h := uint16(off), health{5, stopped, "OK"}
			if found.power {
				state, h = on, goodHealth
			}
			if found.fault {
				h = critical
			}
			o.set("EnabledState", cim.U16(state))
			o.health(h)
		}
		return c.emit(o)
	})
}

// reached asks each BMC whether it is there.
func (c *call) reached(ctx context.Context, key string, emit func(d Device) error) error {
	return c.each(ctx, key, func(ctx context.Context, _ *bmc, conn *client.Client) error {
		_, err := conn.GetDeviceID(ctx)
		return err
	}, emit)
}

func (c *call) domains(ctx context.Context) error {
	done := false
	return c.reached(ctx, "", func(Device) error {
		if done {
			return nil
		}
		done = true
		o := newObject(c.r.Class)
		o.text("CreationClassName", domainClass)
		o.text("Name", c.p.domain)
		o.text("ElementName", c.p.domain)
		o.text("Caption", c.p.domain)
		return c.emit(o)
	})
}

func (c *call) drivers(ctx context.Context) error {
	return c.reached(ctx, "InstanceName", func(d Device) error {
		o := newObject(c.r.Class)
		o.text("InstanceName", d.Name)
		o.set("BMCAddress", cim.U8(types.BMC_SA))
		return c.emit(o)
	})
}

func (c *call) plainSensors(ctx context.Context) error   { return c.sensors(ctx, false) }
func (c *call) numericSensors(ctx context.Context) error { return c.sensors(ctx, true) }

// sensors lists the sensors with or without numbers.
func (c *call) sensors(ctx context.Context, numeric bool) error {
	only, fixed := c.r.Constraint("DeviceID")
	id, _ := only.Str()
	var found []*reading
	return c.each(ctx, "SystemName", func(ctx context.Context, b *bmc, conn *client.Client) error {
		found = nil
		all, err := b.list(ctx, conn)
		if err != nil {
			return err
		}
		for _, s := range all {
			if (s.scale != nil) != numeric || fixed && !cim.EqualFold(id, s.deviceID()) {
				continue
			}
			r, err := s.read(ctx, conn, c.wanted(numeric))
			if err != nil {
				return err
			}
			found = append(found, r)
		}
		return nil
	}, func(d Device) error {
		for _, r := range found {
			o := newObject(c.r.Class)
			o.fillSensor(d, r)
			if numeric {
				o.fillNumbers(r)
			}
			if err := c.emit(o); err != nil {
				return err
			}
		}
		return nil
	})
}

// wanted says what the caller wants that costs a request for each sensor.
func (c *call) wanted(numeric bool) (w wanted) {
	some := func(names ...string) bool {
		for _, n := range names {
			if c.r.Wants(n) {
				return true
			}
		}
		return false
	}
	w.reading = some("CurrentState", "HealthState", "OperationalStatus", "Status", "CurrentReading")
	if numeric {
		w.enabled, w.hysteresis = some("EnabledThresholds"), some("Hysteresis")
		for l := range levels {
			w.thresholds = w.thresholds || some(l.property())
		}
	}
	return w
}

func (c *call) logs(ctx context.Context) error {
	var info selInfo
	return c.each(ctx, "InstanceID", func(ctx context.Context, _ *bmc, conn *client.Client) (err error) {
		info, err = readSELInfo(ctx, conn)
		return err
	}, func(d Device) error {
		o := newObject(c.r.Class)
		o.text("InstanceID", logName(d.Name))
		o.text("Name", logName(d.Name))
		o.text("ElementName", "IPMI SEL")
		o.text("Caption", "IPMI SEL")
		o.set("MaxNumberOfRecords", cim.U64(info.most))
		o.set("CurrentNumberOfRecords", cim.U64(info.entries))
		o.health(goodHealth)
		if info.overflow {
			o.health(degraded)
		}
		return c.emit(o)
	})
}

func (c *call) records(ctx context.Context) error {
	var found []selRecord
	return c.each(ctx, "LogName", func(ctx context.Context, _ *bmc, conn *client.Client) (err error) {
		found, err = readSEL(ctx, conn)
		return err
	}, func(d Device) error {
		for _, r := range found {
			o := newObject(c.r.Class)
			o.fillRecord(d, r)
			if err := c.emit(o); err != nil {
				return err
			}
		}
		return nil
	})
}
