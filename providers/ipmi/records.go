package ipmi

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/bougou/go-ipmi/pkg/client"
	"github.com/bougou/go-ipmi/pkg/command/storage"
	"github.com/bougou/go-ipmi/pkg/types"
)

// Completion codes. See [IPMI] table 5-2.
const (
	invalidCommand      types.CompletionCode = 0xc1
	reservationCanceled types.CompletionCode = 0xc5
	notPresent          types.CompletionCode = 0xcb
)

// Bounds of what is taken from a BMC.
const (
	mostRecords = 4096 // of the SDR repository
	partSize    = 16   // of a record that comes in parts
	partTries   = 3    // when another one reads at the same time
)

// noRecord follows the last record. See [IPMI] 33.12.
const noRecord = 0xffff

// sensorCache is what the SDR repository told, and when it was changed.
type sensorCache struct {
	valid         bool
	count         uint16
	added, erased time.Time
	sensors       []*sensor
}

// list gives the sensors of a BMC: those read before, where its repository has not changed since.
func (b *bmc) list(ctx context.Context, c *client.Client) ([]*sensor, error) {
	info, err := c.GetSDRRepoInfo(ctx)
	if err != nil {
		return nil, fmt.Errorf("read the state of the SDR repository: %w", err)
	}
	now := sensorCache{valid: true, count: info.RecordCount, added: info.MostRecentAdditionTime, erased: info.MostRecentEraseTime}
	if old := b.sensors; old.valid && old.count == now.count && old.added.Equal(now.added) && old.erased.Equal(now.erased) {
		return old.sensors, nil
	}
	if now.count > 0 {
		if now.sensors, err = b.readSensors(ctx, c); err != nil {
			return nil, err
		}
	}
	b.sensors = now
	return now.sensors, nil
}

func (b *bmc) readSensors(ctx context.Context, c *client.Client) (out []*sensor, err error) {
	seen := map[uint16]bool{}
	for id := uint16(0); id != noRecord; {
		if seen[id] || len(seen) == mostRecords {
			return nil, errors.New("the SDR repository has no end")
		}
		seen[id] = true
		data, next, err := b.record(ctx, c, id)
		if err != nil {
			return nil, fmt.Errorf("read the SDR %#04x: %w", id, err)
		}
		if record, err := types.ParseSDR(data, next); err == nil { // others are of no known kind
			out = append(out, sensorsOf(record, data)...)
		} else {
			b.log.Debug("an SDR could not be decoded", "bmc", b.device, "record", id, "error", err)
		}
		id = next
	}
	return out, nil
}

// record reads one record of the SDR repository: whole, or in parts where the BMC cannot send it at once.
func (b *bmc) record(ctx context.Context, c *client.Client, id uint16) (data []byte, next uint16, err error) {
	if !b.partial {
		answer := &storage.GetSDRResponse{}
		err := c.Exchange(ctx, &storage.GetSDRRequest{RecordID: id, ReadBytes: 0xff}, answer)
		if err == nil && wholeRecord(answer.RecordData) {
			return answer.RecordData, answer.NextRecordID, nil
		}
		if _, ok := completion(err); err != nil && !ok {
			return nil, 0, err
		}
		b.partial = true
	}
	for range partTries {
		if data, next, err = recordInParts(ctx, c, id); err == nil {
			return data, next, nil
		}
		if code, ok := completion(err); !ok || code != reservationCanceled {
			break
		}
	}
	return nil, 0, err
}

// wholeRecord tells whether all of a record is there.
func wholeRecord(data []byte) bool {
	return len(data) >= types.SDRRecordHeaderSize && len(data) >= types.SDRRecordHeaderSize+int(data[4])
}

func recordInParts(ctx context.Context, c *client.Client, id uint16) (data []byte, next uint16, err error) {
	reservation, err := c.ReserveSDRRepo(ctx)
	if err != nil {
		return nil, 0, err
	}
	want := types.SDRRecordHeaderSize
	for !wholeRecord(data) {
		size := min(want-len(data), partSize)
		answer := &storage.GetSDRResponse{}
		request := &storage.GetSDRRequest{ReservationID: reservation.ReservationID, RecordID: id, ReadOffset: uint8(len(data)), ReadBytes: uint8(size)}
		if err := c.Exchange(ctx, request, answer); err != nil {
			return nil, 0, err
		}
		if len(answer.RecordData) != size || len(data)+size > 0xff {
			return nil, 0, errors.New("the BMC sent a part of another size than was asked for")
		}
		data, next = append(data, answer.RecordData...), answer.NextRecordID
		if len(data) >= types.SDRRecordHeaderSize {
			want = types.SDRRecordHeaderSize + int(data[4])
		}
	}
	return data, next, nil
}

// sensor is one sensor as its SDR declares it.
type sensor struct {
	number, lun, owner uint8
	name               string
	kind               types.SensorType
	event              types.EventReadingType
	unit               types.SensorUnit
	masks              masks
	capabilities       types.SensorCapabilities
	full               *types.SDRFull // nil for a compact record
	scale              *scale         // nil for a sensor without numbers
}

// deviceID is the DeviceID of its object: number, LUN, owner.
func (s *sensor) deviceID() string { return fmt.Sprintf("%d.%d.%d", s.number, s.lun, s.owner) }

// threshold tells whether its states are thresholds. See [IPMI] 42.1.
func (s *sensor) threshold() bool { return s.event.IsThreshold() }

// masks are what the record of a sensor tells about its thresholds or its states.
type masks struct {
	passed   [levels]bool // the BMC tells whether it was passed
	readable [levels]bool
	settable [levels]bool
	states   uint16 // of a sensor without thresholds
}

// masksOf reads bytes 15 to 20 of the record of a sensor, the least significant byte of each word first. See [IPMI]
// table 43-1.
func masksOf(record []byte) (m masks) {
	const from, size, readableAt, settableAt, passedAt = 14, 6, 0, 8, 12
	if len(record) < from+size {
		return m
	}
	word := func(n int) uint16 { return binary.LittleEndian.Uint16(record[from+2*n:]) }
	m.states = word(2)
	for l, bit := range [levels]int{lowerNonCritical: 0, lowerCritical: 1, lowerFatal: 2, upperNonCritical: 3, upperCritical: 4, upperFatal: 5} {
		m.readable[l] = word(2)>>(readableAt+bit)&1 == 1
		m.settable[l] = word(2)>>(settableAt+bit)&1 == 1
		m.passed[l] = word(bit/3)>>(passedAt+bit%3)&1 == 1
	}
	return m
}

// sensorsOf are the sensors that a record declares; records of other kinds declare none. record are its bytes.
func sensorsOf(r *types.SDR, record []byte) []*sensor {
	switch {
	case r.Full != nil:
		f := r.Full
		s := &sensor{
			number: uint8(f.SensorNumber), lun: f.GeneratorID.LUN(), owner: f.GeneratorID.OwnerID(), name: idString(f.IDStringTypeLength, f.IDStringBytes),
			kind: f.SensorType, event: f.SensorEventReadingType, unit: f.SensorUnit, masks: masksOf(record), capabilities: f.SensorCapabilities, full: f,
		}
		if f.SensorUnit.IsAnalog() {
			s.scale = newScale(f.SensorUnit.AnalogDataFormat, f.ReadingFactors, f.LinearizationFunc)
		}
		return []*sensor{s}
	case r.Compact != nil:
		return sharedSensors(r.Compact, masksOf(record))
	}
	return nil
}

// sharedSensors are the sensors of a compact record, which may declare several alike: numbers follow each other, and
// the names get a number or a letter. See [IPMI] table 43-2, bytes 24 and 25.
func sharedSensors(r *types.SDRCompact, m masks) (out []*sensor) {
	const letters = 1
	count := max(int(r.ShareCount), 1)
	for i := range count {
		if int(r.SensorNumber)+i > 0xff {
			break
		}
		s := &sensor{
			number: uint8(r.SensorNumber) + uint8(i), lun: r.GeneratorID.LUN(), owner: r.GeneratorID.OwnerID(), name: idString(r.IDStringTypeLength, r.IDStringBytes),
			kind: r.SensorType, event: r.SensorEventReadingType, unit: r.SensorUnit, masks: m, capabilities: r.SensorCapabilities,
		}
		if suffix := int(r.IDStringInstanceModifierOffset) + i; count > 1 && r.IDStringInstanceModifierType == letters {
			s.name += letter(suffix)
		} else if count > 1 {
			s.name += fmt.Sprint(suffix)
		}
		out = append(out, s)
	}
	return out
}

// letter is A for 0, Z for 25, AA for 26.
func letter(n int) string {
	if n < 26 {
		return string(rune('A' + n))
	}
	return letter(n/26-1) + letter(n%26)
}

// idString is the name in a record. See [IPMI] 43.15.
func idString(t types.TypeLength, raw []byte) string {
	const latin = 3
	text := raw
	if t.TypeCode() != latin {
		if chars, err := t.Chars(raw); err == nil {
			text = chars
		}
	}
	name := make([]rune, 0, len(text))
	for _, c := range text { // Latin 1
		if c == 0 {
			break
		}
		if c < ' ' || c == 0x7f {
			c = '?'
		}
		name = append(name, rune(c))
	}
	return strings.TrimSpace(string(name))
}
