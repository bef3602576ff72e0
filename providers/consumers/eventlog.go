package consumers

import (
	"context"
	"slices"
	"strings"

	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/security"
)

// Record is what an NTEventLogEventConsumer writes.
type Record struct {
	Source   string
	EventID  uint32
	Type     uint32 // 0 success, 1 error, 2 warning, 4 information, 8 and 16 audit success and failure
	Category uint16
	Strings  []string // what the message of the event is made of
	Data     []byte
	User     security.SID // SIDNull where there is none
}

var recordTypes = []uint64{0, 1, 2, 4, 8, 16}

func checkEventLog(c *cim.Instance) error {
	source, _ := text(c, "SourceName")
	kind, _ := c.Get("EventType").Uint()
	count, _ := c.Get("NumberOfInsertionStrings").Uint()
	switch {
	case source == "" || strings.Contains(source, ":"):
		return invalid("SourceName is missing or has a colon")
	case c.Get("EventID").IsNull():
		return invalid("EventID is missing")
	case !slices.Contains(recordTypes, kind):
		return invalid("EventType is none of 0, 1, 2, 4, 8 and 16")
	case count > uint64(len(c.Get("InsertionStringTemplates").Elems())):
		return invalid("InsertionStringTemplates has less than NumberOfInsertionStrings elements")
	}
	return nil
}

// report writes one record.
func (p *Provider) report(ctx context.Context, creator cim.Caller, c *cim.Instance, x *expansion) error {
	if server, _ := text(c, "UNCServerName"); server != "" && !cim.EqualFold(strings.TrimLeft(server, `\`), p.o.MachineName) {
		return denied("records are written to the log of this machine only")
	}
	if p.o.Report == nil {
		return denied("there is no log of the system to write to")
	}
	r := Record{User: security.SIDNull}
	r.Source, _ = text(c, "SourceName")
	id, _ := c.Get("EventID").Uint()
	kind, _ := c.Get("EventType").Uint()
	category, _ := c.Get("Category").Uint()
	r.EventID, r.Type, r.Category = uint32(id), uint32(kind), uint16(category)
	count, _ := c.Get("NumberOfInsertionStrings").Uint()
	size := 0
	for _, v := range c.Get("InsertionStringTemplates").Elems()[:count] {
		template, _ := v.Str()
		s, err := x.expand(template)
		if err != nil {
			return err
		}
		if size += len(s); size > maxExpanded {
			return tooMuch()
		}
		r.Strings = append(r.Strings, s)
	}
	if name, _ := text(c, "NameOfRawDataProperty"); name != "" {
		r.Data = bytesOf(x.event.Get(name))
	}
	if name, _ := text(c, "NameOfUserSidProperty"); name != "" {
		var err error
		if r.User, err = sidOf(x.event.Get(name)); err != nil {
			return invalid("property " + name + " of the event is no SID")
		}
	}
	return p.o.Report(ctx, creator, r)
}

// bytesOf is an array of uint8, or a text in UTF-8; nothing for NULL.
func bytesOf(v cim.Value) []byte {
	if s, ok := v.Str(); ok {
		return []byte(s)
	}
	b, _ := v.Bytes()
	return b
}

// sidOf is a SID in binary or text form; SIDNull for NULL.
func sidOf(v cim.Value) (security.SID, error) {
	if v.IsNull() {
		return security.SIDNull, nil
	}
	if s, ok := v.Str(); ok {
		return security.ParseSID(s)
	}
	sid, _, err := security.DecodeSID(bytesOf(v))
	return sid, err
}
