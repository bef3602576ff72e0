package ipmi

import (
	"context"
	"errors"
	"fmt"

	"github.com/bougou/go-ipmi/pkg/client"
	answers "github.com/bougou/go-ipmi/pkg/command/sensor"
	"github.com/bougou/go-ipmi/pkg/types"

	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/cimom"
)

// Events in the log about thresholds that a BMC ignored, of the source ipmiprv. See spec/winrm.md 8.
const (
	eventSource       = "ipmiprv"
	eventLowerIgnored = 1000
	eventUpperIgnored = 1001
)

// Create makes nothing: what there is the BMC says.
func (p *Provider) Create(_ context.Context, r *cimom.Request, _ *cim.Instance) error {
	return &cim.Error{Status: cim.ErrProviderNotCapable, Path: r.Class.Name, Detail: "only a BMC makes such objects"}
}

// Delete removes nothing.
func (p *Provider) Delete(_ context.Context, r *cimom.Request, _ cim.ObjectPath) error {
	return &cim.Error{Status: cim.ErrProviderNotCapable, Path: r.Class.Name, Detail: "only a BMC removes such objects"}
}

// Put sets LowerThresholdNonCritical and UpperThresholdNonCritical of a numeric sensor, for administrators. A NULL
// leaves a threshold as it is. A BMC that takes the request and does not change the threshold makes an event in the log
// and an error. See [cimom.InstanceWriter].
func (p *Provider) Put(ctx context.Context, r *cimom.Request, i *cim.Instance) error {
	if !cim.EqualFold(r.Class.Name, numericClass) {
		return &cim.Error{Status: cim.ErrProviderNotCapable, Path: r.Class.Name, Detail: "only thresholds of a NumericSensor can be set"}
	}
	if !isAdministrator(r.Caller) {
		return errAdministratorsOnly(numericClass, "setting thresholds")
	}
	system, _ := i.Get("SystemName").Str()
	id, _ := i.Get("DeviceID").Str()
	b, err := p.named(system)
	if err != nil {
		return err
	}
	err = b.use(ctx, func(ctx context.Context, conn *client.Client) error {
		all, err := b.list(ctx, conn)
		if err != nil {
			return err
		}
		for _, s := range all {
			if s.scale != nil && s.deviceID() == id {
				return p.setThresholds(ctx, conn, b, s, r, i)
			}
		}
		return &cim.Error{Status: cim.ErrNotFound, Path: numericClass + "." + id}
	})
	if err != nil && ctx.Err() != nil {
		return ctx.Err()
	}
	if err != nil {
		return unreachable(b.device, err)
	}
	return nil
}

// named finds the BMC of a name: ErrNotFound.
func (p *Provider) named(name string) (*bmc, error) {
	all, err := p.enabled()
	if err != nil {
		return nil, err
	}
	for _, b := range all {
		if cim.EqualFold(b.device.Name, name) {
			return b, nil
		}
	}
	return nil, &cim.Error{Status: cim.ErrNotFound, Detail: "there is no BMC " + name}
}

// setThresholds sets what differs from what the sensor has, and reads it back.
func (p *Provider) setThresholds(ctx context.Context, conn *client.Client, b *bmc, s *sensor, r *cimom.Request, i *cim.Instance) error {
	now, err := s.read(ctx, conn, wanted{thresholds: true})
	if err != nil {
		return err
	}
	var raw [levels]uint8
	var change [levels]bool
	changed := false
	for l := range levels {
		v := i.Get(l.property())
		if !r.Wants(l.property()) || v.IsNull() || v.Equal(now.thresholds[l]) {
			continue
		}
		if !s.settable(l) {
			return &cim.Error{Status: cim.ErrReadOnly, Path: numericClass + "." + l.property(), Detail: "SettableThresholds of the sensor does not have it"}
		}
		n, _ := v.Int()
		if raw[l], change[l] = s.scale.raw(int32(n)); !change[l] {
			return &cim.Error{Status: cim.ErrValueOutOfRange, Path: numericClass + "." + l.property(), Detail: fmt.Sprintf("%d is beyond what the sensor can measure", n)}
		}
		changed = true
	}
	if !changed {
		return nil
	}
	ctx = at(ctx, s.owner, s.lun)
	if _, err := conn.SetSensorThresholds(ctx, &answers.SetSensorThresholdsRequest{
		SensorNumber: s.number,
		SetLNC:       change[lowerNonCritical], LNC_Raw: raw[lowerNonCritical],
		SetUNC: change[upperNonCritical], UNC_Raw: raw[upperNonCritical],
	}); err != nil {
		return err
	}
	answer, err := conn.GetSensorThresholds(ctx, s.number)
	if err != nil {
		return err
	}
	got, _ := rawThresholds(answer)
	return p.ignored(b.device, s, change, raw, got)
}

// ignored tells which thresholds a BMC did not change although it said so.
func (p *Provider) ignored(d Device, s *sensor, change [levels]bool, want, got [levels]uint8) error {
	var failed error
	for l, event := range map[level]int{lowerNonCritical: eventLowerIgnored, upperNonCritical: eventUpperIgnored} {
		if change[l] && want[l] != got[l] {
			p.log.Warn("the BMC did not set a threshold although it said so", "source", eventSource, "event", event,
				"bmc", d, "sensor", s.name, "device", s.deviceID(), "threshold", l.property())
			failed = &cim.Error{Status: cim.ErrFailed, Path: numericClass + "." + l.property(), Detail: "the BMC did not set the threshold although it said so"}
		}
	}
	return failed
}

// Return values of ClearLog.
const (
	clearSuccess      = 0
	clearNotSupported = 1
	clearTimeout      = 3
	clearFailed       = 4
)

// Invoke runs ClearLog of RecordLog and the methods of Microsoft_IPMI, for administrators. See [cimom.MethodInvoker].
func (p *Provider) Invoke(ctx context.Context, r *cimom.Request, path cim.ObjectPath, method string, in cim.Arguments) (cim.Result, error) {
	run, key := p.clearLog, "InstanceID"
	switch cim.Fold(method) {
	case "clearlog":
	case "requestresponse":
		run, key = requestWith("RequestData", "RequestDataSize"), "InstanceName"
	case "requestresponseex":
		run, key = requestWith("Data", "DataSize"), "InstanceName"
	case "sms_attention":
		run, key = attention, "InstanceName"
	default:
		return cim.Result{}, &cim.Error{Status: cim.ErrMethodNotImplemented, Path: r.Class.Name + "." + method}
	}
	if !isAdministrator(r.Caller) {
		return cim.Result{}, errAdministratorsOnly(r.Class.Name+"."+method, "the method")
	}
	v, _ := path.Key(key)
	name, _ := v.Str()
	b, err := p.ofKey(key, name)
	if err != nil {
		return cim.Result{}, err
	}
	return run(ctx, b, in)
}

// ofKey finds the BMC of an object by its key.
func (p *Provider) ofKey(key, value string) (*bmc, error) {
	if key != "InstanceID" {
		return p.named(value)
	}
	prefix := logName("")
	if len(value) < len(prefix) {
		return nil, &cim.Error{Status: cim.ErrNotFound}
	}
	return p.named(value[len(prefix):])
}

// clearLog deletes the records of a log; how it went is the return value.
func (p *Provider) clearLog(ctx context.Context, b *bmc, _ cim.Arguments) (cim.Result, error) {
	err := b.use(ctx, func(ctx context.Context, conn *client.Client) error { return clearSEL(ctx, conn) })
	result := uint32(clearSuccess)
	switch code, refused := completion(err); {
	case err == nil:
		p.log.Info("the event log of a BMC was cleared", "bmc", b.device)
	case errors.Is(err, context.DeadlineExceeded):
		result = clearTimeout
	case ctx.Err() != nil:
		return cim.Result{}, ctx.Err()
	case refused && code == invalidCommand:
		result = clearNotSupported
	case refused:
		p.log.Warn("a BMC did not clear its event log", "bmc", b.device, "error", err)
		result = clearFailed
	default:
		return cim.Result{}, unreachable(b.device, err)
	}
	return cim.Result{ReturnValue: cim.U32(result)}, nil
}

// requestWith sends any request, whose data and their number are the arguments of the two names. The answer begins
// with the completion code, as that of Windows does.
func requestWith(data, size string) func(context.Context, *bmc, cim.Arguments) (cim.Result, error) {
	return func(ctx context.Context, b *bmc, in cim.Arguments) (cim.Result, error) {
		netFn, function := in.Get("NetworkFunction").Uint()
		command, given := in.Get("Command").Uint()
		bytes, _ := in.Get(data).Bytes()
		n, sized := in.Get(size).Uint()
		lun, _ := in.Get("Lun").Uint()
		if !function || !given || netFn > 0x3f || netFn&1 == 1 || lun > 3 || sized && n > uint64(len(bytes)) {
			return cim.Result{}, &cim.Error{Status: cim.ErrInvalidMethodParameters, Detail: "NetworkFunction is even and below 64, Lun below 4, and " + size + " not above the number of " + data}
		}
		if sized {
			bytes = bytes[:n]
		}
		responder, ok := in.Get("ResponderAddress").Uint()
		if !ok {
			responder = uint64(types.BMC_SA)
		}
		var response []byte
		err := b.use(ctx, func(ctx context.Context, conn *client.Client) error {
			answer, err := conn.RawCommand(at(ctx, uint8(responder), uint8(lun)), types.NetFn(netFn), uint8(command), bytes, "")
			if err == nil {
				response = append([]byte{0}, answer.Response...)
			}
			return err
		})
		code, refused := completion(err)
		switch {
		case refused:
			response = []byte{byte(code)}
		case err != nil && ctx.Err() != nil:
			return cim.Result{}, ctx.Err()
		case err != nil:
			return cim.Result{}, unreachable(b.device, err)
		}
		return cim.Result{Out: cim.NamedArray{
			{Name: "CompletionCode", Value: cim.U8(byte(code))},
			{Name: "ResponseData", Value: cim.Bytes(response)},
			{Name: "ResponseDataSize", Value: cim.U32(uint32(len(response)))},
		}}, nil
	}
}

// attention asks the BMC what makes it set SMS_ATN, on the interface to the processor of its machine. See [IPMI] 9.7
// and 22.4.
func attention(ctx context.Context, b *bmc, _ cim.Arguments) (cim.Result, error) {
	if !b.device.Local() {
		return cim.Result{}, &cim.Error{Status: cim.ErrNotSupported, Path: "Microsoft_IPMI.SMS_Attention", Detail: "only the BMC of this machine tells it"}
	}
	set := false
	err := b.use(ctx, func(ctx context.Context, conn *client.Client) error {
		flags, err := conn.GetMessageFlags(ctx)
		if err == nil {
			set = flags.ReceiveMessageQueueAvailable || flags.EventMessageBufferFull || flags.WatchdogPreTimeoutInterruptOccurred ||
				flags.OEM0Available || flags.OEM1Available || flags.OEM2Available
		}
		return err
	})
	if err != nil && ctx.Err() != nil {
		return cim.Result{}, ctx.Err()
	}
	if err != nil {
		return cim.Result{}, unreachable(b.device, err)
	}
	return cim.Result{Out: cim.NamedArray{{Name: "AttentionSet", Value: cim.Bool(set)}, {Name: "StatusRegisterValue", Value: cim.Null(cim.Uint8)}}}, nil
}
