package wql

import (
	"errors"
	"testing"
	"time"

	"github.com/casementhq/casement/cim"
)

// eventClasses are the classes that event queries are tested with, by folded
// name.
func eventClasses() func(string) *cim.Class {
	event := cim.NewClass("__Event", nil).Abstract().
		Property("SECURITY_DESCRIPTOR", cim.Uint8.Array()).Property("TIME_CREATED", cim.Uint64).Build(`root\cimv2`)
	operation := cim.NewClass("__InstanceOperationEvent", event).Object("TargetInstance", "").Build("")
	class := cim.NewClass("__ClassOperationEvent", event).Object("TargetClass", "").Build("")
	element := cim.NewClass("CIM_ManagedSystemElement", nil).Abstract().Property("Name", cim.String).Build(`root\cimv2`)
	list := []*cim.Class{
		event, operation, class, element,
		cim.NewClass("__InstanceCreationEvent", operation).Build(""),
		cim.NewClass("__InstanceModificationEvent", operation).Object("PreviousInstance", "").Build(""),
		cim.NewClass("__ClassCreationEvent", class).Build(""),
		cim.NewClass("__ExtrinsicEvent", event).Build(""),
		cim.NewClass("EmailEvent", event).Property("Sender", cim.String).Property("Importance", cim.Uint32).
			Object("Mail", "Mail").Property("To", cim.String.Array()).Build(""),
		cim.NewClass("Mail", nil).Property("Subject", cim.String).Object("Part", "").Build(`root\cimv2`),
		cim.NewClass("Win32_Process", element).Key("Handle", cim.String).Property("ProcessId", cim.Uint32).
			Property("Critical", cim.Boolean).Build(""),
		cim.NewClass("My_Process", cim.NewClass("Win32_Process", element).Key("Handle", cim.String).
			Property("ProcessId", cim.Uint32).Property("Critical", cim.Boolean).Build("")).Property("Extra", cim.String).Build(""),
		cim.NewClass("Win32_Service", element).Key("Name", cim.String).Property("State", cim.String).Build(""),
	}
	return func(name string) *cim.Class {
		for _, c := range list {
			if cim.EqualFold(c.Name, name) {
				return c
			}
		}
		return nil
	}
}

func TestParseEvent(t *testing.T) {
	q, err := ParseEvent("select TargetInstance.Name, TIME_CREATED from __InstanceCreationEvent\twithin 2.5 where TargetInstance isa Win32_Process\n" +
		"group within 0x10 by TargetInstance.Name, TargetInstance.__CLASS having 3 < NumberOfEvents;")
	if err != nil {
		t.Fatal(err)
	}
	isa, _ := q.Where.(*IsA)
	if len(q.Select) != 2 || q.Class != "__InstanceCreationEvent" || q.Within != 2500*time.Millisecond || isa == nil || isa.Class != "Win32_Process" ||
		q.Group == nil || q.Group.Within != 16*time.Second || len(q.Group.By) != 2 || *q.Group.Having != (Having{Greater, 3}) {
		t.Errorf("%+v %+v", q, q.Group)
	}
	if q.Group.Having.Holds(3) || !q.Group.Having.Holds(4) || !(*Having)(nil).Holds(0) {
		t.Error("HAVING NumberOfEvents > 3 is met by 4 and more")
	}
}

func TestParseEventErrors(t *testing.T) {
	const from = `SELECT * FROM EmailEvent `
	tests := []struct {
		query  string
		status cim.Status
	}{
		{``, cim.ErrInvalidParameter},
		{`SELECT * EmailEvent`, cim.ErrUnparsableQuery},
		{from + `WHERE`, cim.ErrUnparsableQuery},
		{from + `WITHIN WHERE Sender = 'a'`, cim.ErrUnparsableQuery},
		{from + `WITHIN -1`, cim.ErrUnparsableQuery},
		{from + `WITHIN 0`, cim.ErrUnparsableQuery},
		{from + `WITHIN 0.0001`, cim.ErrUnparsableQuery},
		{from + `WITHIN 4294968`, cim.ErrUnparsableQuery},
		{from + `WITHIN '5'`, cim.ErrUnparsableQuery},
		{from + `GROUP BY Sender`, cim.ErrMissingGroupWithin},
		{from + `GROUP HAVING NumberOfEvents > 1`, cim.ErrMissingGroupWithin},
		{from + `HAVING NumberOfEvents > 1`, cim.ErrMissingGroupWithin},
		{from + `BY Sender`, cim.ErrMissingGroupWithin},
		{from + `GROUP WITHIN 5 BY`, cim.ErrMissingAggregationList},
		{from + `GROUP WITHIN 5 BY *`, cim.ErrMissingAggregationList},
		{from + `GROUP WITHIN 5 BY HAVING NumberOfEvents > 1`, cim.ErrMissingAggregationList},
		{from + `GROUP WITHIN 5 HAVING Sender = 1`, cim.ErrUnparsableQuery},
		{from + `GROUP WITHIN 5 HAVING NumberOfEvents > -1`, cim.ErrUnparsableQuery},
		{from + `GROUP WITHIN 5 HAVING NumberOfEvents > 4294967296`, cim.ErrUnparsableQuery},
		{from + `GROUP WITHIN 5 HAVING NumberOfEvents > 1 AND NumberOfEvents < 5`, cim.ErrUnparsableQuery},
		{from + `GROUP WITHIN 5 BY Sender WHERE Importance = 1`, cim.ErrUnparsableQuery},
		{from + `GROUP WITHIN`, cim.ErrUnparsableQuery},
	}
	for _, tt := range tests {
		if _, err := ParseEvent(tt.query); !errors.Is(err, tt.status) {
			t.Errorf("%s: %v, want %v", tt.query, err, tt.status)
		}
	}
	for _, ok := range []string{
		from + `WITHIN 0.001`, from + `WITHIN 4294967`, from + `WITHIN 1e1 GROUP WITHIN 1 HAVING NumberOfEvents>=0xFFFFFFFF`, from + `GROUP WITHIN 300 BY Sender`,
	} {
		if _, err := ParseEvent(ok); err != nil {
			t.Errorf("%s: %v", ok, err)
		}
	}
}
