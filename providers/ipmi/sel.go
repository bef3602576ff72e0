package ipmi

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/bougou/go-ipmi/pkg/client"
	"github.com/bougou/go-ipmi/pkg/command/storage"
	"github.com/bougou/go-ipmi/pkg/types"

	"github.com/casementhq/casement/cim"
)

// logName is the InstanceID and the Name of the log of a BMC.
func logName(device string) string { return "IPMI:" + device }

// selInfo is what a BMC tells about its log.
type selInfo struct {
	entries, most uint64 // most is 0 where it is not known
	overflow      bool
}

func readSELInfo(ctx context.Context, c *client.Client) (selInfo, error) {
	const entrySize, manyBytes = 16, 0xfffe // this and FFFFh: 65534 bytes and more
	a, err := c.GetSELInfo(ctx)
	if err != nil {
		return selInfo{}, err
	}
	i := selInfo{entries: uint64(a.Entries), overflow: a.OperationSupport.Overflow}
	if a.FreeBytes < manyBytes {
		i.most = i.entries + uint64(a.FreeBytes)/entrySize
	}
	return i, nil
}

// selRecord is one record of a log, as the BMC sent it. See [IPMI] 32.
type selRecord [16]byte

// readSEL reads all records of a log; an empty one says that the record is not present.
func readSEL(ctx context.Context, c *client.Client) (out []selRecord, err error) {
	seen := map[uint16]bool{}
	for id := uint16(0); id != noRecord; {
		if seen[id] {
			return nil, errors.New("the event log of the BMC has no end")
		}
		seen[id] = true
		answer := &storage.GetSELEntryResponse{}
		err := c.Exchange(ctx, &storage.GetSELEntryRequest{RecordID: id, ReadBytes: 0xff}, answer)
		if code, ok := completion(err); ok && code == notPresent {
			return out, nil // empty, or cleared meanwhile
		}
		if err != nil {
			return nil, err
		}
		if len(answer.Data) != len(selRecord{}) {
			return nil, fmt.Errorf("the record %#04x of the event log has %d bytes", id, len(answer.Data))
		}
		out = append(out, selRecord(answer.Data))
		id = answer.NextRecordID
	}
	return out, nil
}

// clearSEL deletes all records and waits until that is done.
func clearSEL(ctx context.Context, c *client.Client) error {
	const done, pause = 1, 100 * time.Millisecond
	reservation, err := c.ReserveSEL(ctx)
	if err != nil {
		return err
	}
	for request := (&storage.ClearSELRequest{ReservationID: reservation.ReservationID}); ; request.GetErasureStatusFlag = true {
		answer := &storage.ClearSELResponse{}
		if err := c.Exchange(ctx, request, answer); err != nil {
			return err
		}
		if answer.ErasureProgressStatus&0xf == done {
			return nil
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// fillRecord fills a LogRecord. RecordFormat says what RecordData is, as the documentation of LogRecord shows it.
func (o *object) fillRecord(d Device, r selRecord) {
	const oemFrom, bareFrom = 0xc0, 0xe0 // records of manufacturers with and without a time
	o.text("LogCreationClassName", logClass)
	o.text("LogName", logName(d.Name))
	o.text("CreationClassName", recordClass)
	o.text("RecordID", strconv.Itoa(int(r[0])|int(r[1])<<8))
	format := []string{"uint8[2] IPMI_RecordID", "uint8 IPMI_RecordType"}
	data := []string{hexBytes(r[0:2]), hexBytes(r[2:3])}
	add := func(name string, bytes []byte) {
		kind := "uint8"
		if len(bytes) > 1 {
			kind = fmt.Sprintf("uint8[%d]", len(bytes))
		}
		format, data = append(format, kind+" "+name), append(data, hexBytes(bytes))
	}
	seconds := int64(0)
	if r[2] >= bareFrom {
		add("IPMI_OEMDefinedData", r[3:16])
	} else {
		seconds = int64(r[3]) | int64(r[4])<<8 | int64(r[5])<<16 | int64(r[6])<<24
		add("IPMI_Timestamp", r[3:7])
	}
	switch {
	case r[2] >= bareFrom:
	case r[2] >= oemFrom:
		add("IPMI_ManufacturerID", r[7:10])
		add("IPMI_OEMDefinedData", r[10:16])
	default:
		format = append([]string{"string CIM_Sensor.DeviceID"}, format...)
		data = append([]string{fmt.Sprintf("SEL(%d.%d.%d)", r[11], r[8]&3, r[7])}, data...)
		add("IPMI_GeneratorID", r[7:9])
		add("IPMI_EvMRev", r[9:10])
		add("IPMI_SensorType", r[10:11])
		add("IPMI_SensorNumber", r[11:12])
		format, data = append(format, "boolean IPMI_AssertionEvent"), append(data, strconv.FormatBool(r[12]&0x80 == 0))
		add("IPMI_EventType", []byte{r[12] & 0x7f})
		add("IPMI_EventData1", r[13:14])
		add("IPMI_EventData2", r[14:15])
		add("IPMI_EventData3", r[15:16])
		o.describeEvent(r)
	}
	const unspecified = 0xffffffff
	if seconds == unspecified {
		seconds = 0
	}
	o.set("MessageTimestamp", cim.Time(cim.AtTime(time.Unix(seconds, 0).UTC())))
	o.text("RecordFormat", "*"+strings.Join(format, "*")+"*")
	o.text("RecordData", "*"+strings.Join(data, "*")+"*")
}

// describeEvent says in words what happened.
func (o *object) describeEvent(r selRecord) {
	e, err := types.ParseSEL(r[:])
	if err != nil || e.Standard == nil {
		return
	}
	what := e.Standard.EventString()
	if what == "" {
		return
	}
	end := "asserted"
	if r[12]&0x80 != 0 {
		end = "deasserted"
	}
	o.text("Description", e.Standard.SensorType.String()+": "+what+" ("+end+")")
	o.text("ElementName", e.Standard.SensorType.String())
}

// hexBytes is "0F AC C1 49".
func hexBytes(b []byte) string { return fmt.Sprintf("% X", b) }
