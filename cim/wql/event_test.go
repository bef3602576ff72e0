package wql

import (
	"errors"
	"slices"
	"strings"
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
		{from + `GROUP WITHIN 0`, cim.ErrUnparsableQuery},
		{from + `GROUP WITHIN -1`, cim.ErrUnparsableQuery},
		{from + `GROUP WITHIN 1.5`, cim.ErrUnparsableQuery},
		{from + `GROUP WITHIN 5.0`, cim.ErrUnparsableQuery},
		{from + `GROUP WITHIN 1e1`, cim.ErrUnparsableQuery},
		{from + `GROUP WITHIN '5'`, cim.ErrUnparsableQuery},
		{from + `GROUP WITHIN 4294967296`, cim.ErrUnparsableQuery},
	}
	for _, tt := range tests {
		if _, err := ParseEvent(tt.query); !errors.Is(err, tt.status) {
			t.Errorf("%s: %v, want %v", tt.query, err, tt.status)
		}
	}
	for _, ok := range []string{
		from + `WITHIN 0.001`, from + `WITHIN 2.5 GROUP WITHIN 4294967295`, from + `WITHIN 4294967`, from + `WITHIN 1e1 GROUP WITHIN 1 HAVING NumberOfEvents>=0xFFFFFFFF`, from + `GROUP WITHIN 300 BY Sender`,
	} {
		if _, err := ParseEvent(ok); err != nil {
			t.Errorf("%s: %v", ok, err)
		}
	}
}

// bindEvent parses and binds a query to the class that it selects from.
func bindEvent(query string) (*BoundEvent, error) {
	q, err := ParseEvent(query)
	if err != nil {
		return nil, err
	}
	lookup := eventClasses()
	return BindEvent(q, lookup(q.Class), lookup)
}

// makeObject makes an instance of one of the classes; values come in pairs.
func makeObject(t testing.TB, class string, values ...any) *cim.Instance {
	t.Helper()
	i := cim.NewInstance(eventClasses()(class))
	for n := 0; n < len(values); n += 2 {
		if err := i.Set(values[n].(string), values[n+1].(cim.Value)); err != nil {
			t.Fatal(err)
		}
	}
	return i
}

func TestEventMatch(t *testing.T) {
	process := makeObject(t, "My_Process", "Handle", cim.Str("42"), "ProcessId", cim.U32(42), "Name", cim.Str("sh"), "Critical", cim.Bool(true), "Extra", cim.Str("e"))
	before := makeObject(t, "My_Process", "Handle", cim.Str("42"), "ProcessId", cim.U32(42), "Name", cim.Str("bash"))
	modified := makeObject(t, "__InstanceModificationEvent", "TargetInstance", cim.Obj(process), "PreviousInstance", cim.Obj(before), "TIME_CREATED", cim.U64(5))
	created := makeObject(t, "__InstanceCreationEvent", "TargetInstance", cim.Obj(makeObject(t, "Win32_Service", "Name", cim.Str("ssh"))))
	class := makeObject(t, "__ClassCreationEvent", "TargetClass", cim.Obj(cim.ClassObject(eventClasses()("My_Process"))))
	mail := makeObject(t, "EmailEvent", "Sender", cim.Str("Boss"), "Importance", cim.U32(4), "Mail", cim.Obj(makeObject(t, "Mail", "Subject", cim.Str("now"))))
	tests := []struct {
		query string
		want  []*cim.Instance
	}{
		{`SELECT * FROM __Event`, []*cim.Instance{modified, created, class, mail}},
		{`SELECT * FROM __InstanceOperationEvent`, []*cim.Instance{modified, created}},
		{`SELECT * FROM __InstanceOperationEvent WHERE __CLASS = '__InstanceCreationEvent'`, []*cim.Instance{created}},
		{`SELECT * FROM __InstanceOperationEvent WHERE TargetInstance ISA 'win32_process'`, []*cim.Instance{modified}},
		{`SELECT * FROM __InstanceOperationEvent WHERE TargetInstance ISA 'CIM_ManagedSystemElement'`, []*cim.Instance{modified, created}},
		{`SELECT * FROM __InstanceOperationEvent WHERE NOT TargetInstance ISA 'Win32_Process'`, []*cim.Instance{created}},
		{`SELECT * FROM __InstanceOperationEvent WHERE TargetInstance.__CLASS = 'Win32_Process'`, nil},
		{`SELECT * FROM __InstanceOperationEvent WHERE TargetInstance.__CLASS = 'My_Process'`, []*cim.Instance{modified}},
		{`SELECT * FROM __InstanceOperationEvent WHERE TargetInstance.__SUPERCLASS = 'Win32_Process'`, []*cim.Instance{modified}},
		{`SELECT * FROM __InstanceOperationEvent WHERE TargetInstance.__RELPATH = 'My_Process.Handle="42"'`, []*cim.Instance{modified}},
		{`SELECT * FROM __InstanceOperationEvent WHERE TargetInstance.Name LIKE 's%'`, []*cim.Instance{modified, created}},
		{`SELECT * FROM __InstanceOperationEvent WHERE TargetInstance ISA 'Win32_Process' AND TargetInstance.ProcessId >= 42`, []*cim.Instance{modified}},
		{`SELECT * FROM __InstanceOperationEvent WHERE TargetInstance ISA 'Win32_Process' AND TargetInstance.Extra = 'E'`, []*cim.Instance{modified}},
		{`SELECT * FROM __InstanceOperationEvent WHERE TargetInstance ISA 'Win32_Process' AND TargetInstance.Missing = 1`, nil},
		{`SELECT * FROM __InstanceOperationEvent WHERE TargetInstance.ProcessId = 42 OR TargetInstance.Name = 'SSH'`, []*cim.Instance{modified, created}},
		{`SELECT * FROM __InstanceOperationEvent WHERE TargetInstance.State IS NULL`, []*cim.Instance{created}},
		{`SELECT * FROM __InstanceModificationEvent WHERE PreviousInstance ISA 'Win32_Process' AND PreviousInstance.Name = 'bash' AND TargetInstance.Name <> 'bash'`, []*cim.Instance{modified}},
		// Scripts of many people compare what was with what is.
		{`SELECT * FROM __InstanceModificationEvent WHERE TargetInstance ISA 'Win32_Process' AND TargetInstance.Name <> PreviousInstance.Name`, []*cim.Instance{modified}},
		{`SELECT * FROM __InstanceModificationEvent WHERE TargetInstance.Name != PreviousInstance.Name AND PreviousInstance.Name < TargetInstance.Name`, []*cim.Instance{modified}},
		{`SELECT * FROM __InstanceModificationEvent WHERE TargetInstance.Name = PreviousInstance.Name`, nil},
		{`SELECT * FROM __InstanceModificationEvent WHERE TargetInstance.ProcessId = PreviousInstance.ProcessId AND TargetInstance.Handle = PreviousInstance.Handle`, []*cim.Instance{modified}},
		{`SELECT * FROM __InstanceModificationEvent WHERE TargetInstance.ProcessId > TIME_CREATED AND NOT TIME_CREATED >= TargetInstance.ProcessId`, []*cim.Instance{modified}},
		{`SELECT * FROM __InstanceOperationEvent WHERE TargetInstance ISA 'Win32_Process' AND TargetInstance.Name <> PreviousInstance.Name`, []*cim.Instance{modified}},
		{`SELECT * FROM __InstanceOperationEvent WHERE PreviousInstance.Name = 'bash' OR TargetInstance.Name = 'ssh'`, []*cim.Instance{modified, created}},
		// NULL, text beside a number, and what is not there compare with nothing.
		{`SELECT * FROM __InstanceModificationEvent WHERE TargetInstance.Critical <> PreviousInstance.Critical`, nil},
		{`SELECT * FROM __InstanceModificationEvent WHERE TargetInstance.Name <> PreviousInstance.ProcessId OR TargetInstance.Name <> PreviousInstance.Missing`, nil},
		{`SELECT * FROM __InstanceModificationEvent WHERE TIME_CREATED > 4 AND 6 > TIME_CREATED`, []*cim.Instance{modified}},
		{`SELECT * FROM __ClassOperationEvent WHERE TargetClass ISA 'CIM_ManagedSystemElement'`, []*cim.Instance{class}},
		{`SELECT * FROM __ClassOperationEvent WHERE TargetClass ISA 'Not_Yet'`, nil},
		{`SELECT * FROM __ClassOperationEvent WHERE TargetClass.__CLASS = 'My_Process' AND TargetClass.__GENUS = 1 AND TargetClass.__DYNASTY LIKE 'CIM[_]%'`, []*cim.Instance{class}},
		{`SELECT * FROM EmailEvent WHERE Importance > 3 AND Mail ISA 'Mail' AND Mail.Subject = 'NOW' AND Mail.Part.X IS NOT NULL`, []*cim.Instance{mail}},
		{`SELECT * FROM EmailEvent WHERE Sender = 'boss' AND Mail.Part IS NULL`, []*cim.Instance{mail}},
		// T-72: an event is in no place.
		{`SELECT * FROM EmailEvent WHERE __PATH IS NULL AND __RELPATH IS NULL AND __NAMESPACE IS NULL AND __SERVER IS NULL`, []*cim.Instance{mail}},
		{`SELECT * FROM EmailEvent WHERE __NAMESPACE = 'root\\cimv2'`, nil},
	}
	for _, tt := range tests {
		b, err := bindEvent(tt.query)
		if err != nil {
			t.Errorf("%s: %v", tt.query, err)
			continue
		}
		for _, e := range []*cim.Instance{modified, created, class, mail} {
			if got := b.Match(e); got != slices.Contains(tt.want, e) {
				t.Errorf("%s: %v for %s", tt.query, got, e.Class().Name)
			}
			if n := testing.AllocsPerRun(5, func() { b.Match(e) }); n != 0 && !strings.Contains(tt.query, "__RELPATH =") {
				t.Errorf("%s: Match allocates %v times", tt.query, n)
			}
		}
	}
}

// TestEventBindErrors has T-67, T-68 and the codes of spec/wmi.md 3.6.
func TestEventBindErrors(t *testing.T) {
	const process = `SELECT * FROM __InstanceCreationEvent WITHIN 5 WHERE TargetInstance ISA 'Win32_Process' `
	tests := []struct {
		query  string
		status cim.Status
	}{
		{`SELECT * FROM Win32_Process`, cim.ErrNotEventClass},
		{`SELECT * FROM EmailEvent GROUP BY Sender`, cim.ErrMissingGroupWithin},
		{`SELECT * FROM EmailEvent WHERE Sender.Name = 'x'`, cim.ErrPropertyNotAnObject},
		{`SELECT * FROM EmailEvent GROUP WITHIN 5 BY Sender.Name`, cim.ErrPropertyNotAnObject},
		{`SELECT * FROM EmailEvent GROUP WITHIN 5 BY Mail`, cim.ErrAggregatingByObject},
		{`SELECT * FROM EmailEvent GROUP WITHIN 5 BY Mail.Part`, cim.ErrAggregatingByObject},
		{`SELECT Sender.Name FROM EmailEvent`, cim.ErrPropertyNotAnObject},
		{`SELECT Missing FROM EmailEvent`, cim.ErrInvalidQuery},
		{`SELECT * FROM EmailEvent WHERE Missing = 1`, cim.ErrInvalidQuery},
		{`SELECT * FROM EmailEvent GROUP WITHIN 5 BY Missing`, cim.ErrInvalidQuery},
		{`SELECT * FROM EmailEvent WHERE To = 'x'`, cim.ErrInvalidQuery},
		{`SELECT * FROM EmailEvent WHERE Importance = 'x'`, cim.ErrTypeMismatch},
		{`SELECT * FROM EmailEvent WHERE Mail > 5`, cim.ErrInvalidOperator},
		{`SELECT * FROM EmailEvent WHERE Sender ISA 'x'`, cim.ErrInvalidOperator},
		{`SELECT * FROM EmailEvent WHERE Mail.Subject.X = 'x'`, cim.ErrPropertyNotAnObject},
		{`SELECT * FROM __InstanceCreationEvent WITHIN 5 WHERE TargetInstance ISA 'Missing'`, cim.ErrInvalidClass},
		{process + `AND TargetInstance.Critical >= 0`, cim.ErrInvalidOperator},
		{process + `AND TargetInstance.ProcessId = 'x'`, cim.ErrTypeMismatch},
		{process + `AND TargetInstance.ProcessId = TargetInstance.Name`, cim.ErrTypeMismatch},
		{process + `AND TargetInstance.Critical < TargetInstance.Critical`, cim.ErrInvalidOperator},
		{process + `AND TargetInstance = TargetInstance`, cim.ErrInvalidOperator},
		{process + `AND TargetInstance.Name = Missing`, cim.ErrInvalidQuery},
		{process + `AND TargetInstance.Name = PreviousInstance.Name`, cim.ErrInvalidQuery},
		{`SELECT * FROM EmailEvent WHERE PreviousInstance.Name = 'x'`, cim.ErrInvalidQuery},
		{`SELECT PreviousInstance.Name FROM __InstanceOperationEvent`, cim.ErrInvalidQuery},
		{process + `AND TargetInstance.Name =`, cim.ErrUnparsableQuery},
		{process + `AND TargetInstance.Name LIKE TargetInstance.Name`, cim.ErrUnparsableQuery},
		{process + `AND TargetInstance.Name.X = 'x'`, cim.ErrPropertyNotAnObject},
		{process + `GROUP WITHIN 5 BY TargetInstance`, cim.ErrAggregatingByObject},
		{process + `GROUP WITHIN 5 BY TargetInstance.Name.X`, cim.ErrPropertyNotAnObject},
		{process + `GROUP WITHIN 5 BY PreviousInstance.Name`, cim.ErrInvalidQuery},
		{`SELECT * FROM __InstanceCreationEvent WHERE TargetInstance ISA 'Win32_Process' WITHIN 5`, cim.ErrUnparsableQuery}, // T-71
	}
	for _, tt := range tests {
		if _, err := bindEvent(tt.query); !errors.Is(err, tt.status) {
			t.Errorf("%s: %v, want %v", tt.query, err, tt.status)
		}
	}
	for _, ok := range []string{
		// What ISA says holds only where it was asked.
		process + `OR TargetInstance.ProcessId = 'x'`,
		process + `GROUP WITHIN 5 BY TargetInstance.ProcessId, TargetInstance.__CLASS HAVING NumberOfEvents > 3`,
		`SELECT TargetInstance.Name, TIME_CREATED FROM __InstanceCreationEvent WITHIN 2`,
	} {
		if _, err := bindEvent(ok); err != nil {
			t.Errorf("%s: %v", ok, err)
		}
	}
}

func TestRequired(t *testing.T) {
	tests := []struct {
		where, classes, polls string
	}{
		{`TargetInstance ISA 'Win32_Process'`, "Win32_Process", "Win32_Process"},
		{`TargetInstance.Name = 'x'`, "", ""},
		{`TargetInstance ISA 'Win32_Process' OR TargetInstance.Name = 'x'`, "", ""},
		{`NOT TargetInstance ISA 'Win32_Process'`, "", ""},
		{`TargetInstance ISA 'Win32_Process' OR TargetInstance.__CLASS = 'Win32_Service'`, "Win32_Process Win32_Service", "Win32_Process Win32_Service"},
		{`TargetInstance ISA 'My_Process' OR TargetInstance ISA 'Win32_Process'`, "Win32_Process", "Win32_Process"},
		{`PreviousInstance ISA 'My_Process' AND TargetInstance ISA 'Win32_Process'`, "My_Process", "My_Process"},
		{`TargetInstance ISA 'CIM_ManagedSystemElement' AND (TargetInstance ISA 'Win32_Process' OR TargetInstance ISA 'Win32_Service')`, "Win32_Process Win32_Service", "Win32_Process Win32_Service"},
		// A condition over what can change is no part of a poll.
		{`TargetInstance ISA 'Win32_Process' AND TargetInstance.Name = 'x'`, "Win32_Process", "Win32_Process"},
		{`TargetInstance ISA 'Win32_Process' AND TargetInstance.Handle = '4' AND TargetInstance.Name = 'x'`, "Win32_Process", "Win32_Process[Handle=4]"},
		{`TargetInstance ISA 'Win32_Process' AND (TargetInstance.Handle = '4' OR TargetInstance.Name = 'x')`, "Win32_Process", "Win32_Process"},
		{`TargetInstance ISA 'Win32_Process' AND (PreviousInstance.Handle LIKE '4%' OR TargetInstance.Handle = '5')`, "Win32_Process", "Win32_Process[OR]"},
		{`TargetInstance ISA 'Win32_Process' AND NOT (TargetInstance.Handle = '4' AND TargetInstance.Name = 'x')`, "Win32_Process", "Win32_Process"},
		{`TargetInstance ISA 'Win32_Process' AND NOT TargetInstance.Handle = '4'`, "Win32_Process", "Win32_Process[NOT]"},
		{`TargetInstance ISA 'Win32_Process' AND TargetInstance.Name <> PreviousInstance.Name`, "Win32_Process", "Win32_Process"},
		{`TargetInstance ISA 'Win32_Process' AND NOT (TargetInstance.Handle = '4' AND TargetInstance.Name = PreviousInstance.Name)`, "Win32_Process", "Win32_Process"},
		// Name is the key of one of them only.
		{`(TargetInstance ISA 'Win32_Process' OR TargetInstance ISA 'Win32_Service') AND TargetInstance.Name = 'x'`, "Win32_Process Win32_Service", "Win32_Process Win32_Service[Name=x]"},
	}
	for _, tt := range tests {
		b, err := bindEvent(`SELECT * FROM __InstanceModificationEvent WITHIN 5 WHERE ` + tt.where)
		if err != nil {
			t.Errorf("%s: %v", tt.where, err)
			continue
		}
		if got := strings.Join(b.Required("targetinstance"), " "); got != tt.classes || strings.Join(b.Required("PreviousInstance"), " ") != got {
			t.Errorf("%s: requires %q, want %q", tt.where, got, tt.classes)
		}
		var polls []string
		for _, q := range b.Polls() {
			text := q.Class
			switch x := q.Where.(type) {
			case *Compare:
				text += "[" + x.Name.String() + "=" + x.Value.String() + "]"
			case *Or:
				text += "[OR]"
			case *Not:
				text += "[NOT]"
			}
			polls = append(polls, text)
			if _, err := Bind(q, eventClasses()(q.Class)); err != nil {
				t.Errorf("%s: poll of %s: %v", tt.where, q.Class, err)
			}
		}
		if got := strings.Join(polls, " "); got != tt.polls {
			t.Errorf("%s: polls %q, want %q", tt.where, got, tt.polls)
		}
	}
	b, err := bindEvent(`SELECT * FROM __InstanceCreationEvent WITHIN 5 WHERE TargetInstance ISA 'Win32_Process' AND TargetInstance ISA 'Win32_Service'`)
	if err != nil || !b.Never {
		t.Errorf("nothing is a process and a service: %v", err)
	}
	if b, err = bindEvent(`SELECT * FROM __ClassOperationEvent WHERE TargetClass ISA 'Win32_Process'`); err != nil || !slices.Equal(b.Required("TargetClass"), []string{"Win32_Process"}) || b.Polls() != nil {
		t.Errorf("%v %v", b.Required("TargetClass"), err)
	}
	if b, err = bindEvent(`SELECT Mail.Subject, Sender FROM EmailEvent WHERE Sender = 'a' AND Importance > 3`); err != nil || !slices.Equal(b.Properties, []string{"Mail", "Sender"}) ||
		len(b.Constraints) != 1 || len(b.Orders) != 1 || b.Required("Mail") != nil {
		t.Errorf("%+v %v", b, err)
	}
}

func TestAppendGroup(t *testing.T) {
	b, err := bindEvent(`SELECT * FROM EmailEvent GROUP WITHIN 5 BY Sender, Mail.Subject`)
	if err != nil {
		t.Fatal(err)
	}
	key := func(values ...any) string { return string(b.AppendGroup(nil, makeObject(t, "EmailEvent", values...))) }
	mail := func(subject string) cim.Value { return cim.Obj(makeObject(t, "Mail", "Subject", cim.Str(subject))) }
	if key("Sender", cim.Str("Boss"), "Mail", mail("A"), "Importance", cim.U32(1)) != key("Sender", cim.Str("boss"), "Mail", mail("a"), "Importance", cim.U32(2)) {
		t.Error("equal events are two groups")
	}
	seen := map[string]bool{}
	for _, k := range []string{
		key(), key("Sender", cim.Str("")), key("Sender", cim.Str("a")), key("Mail", mail("")), key("Mail", mail("a")),
		key("Sender", cim.Str("a"), "Mail", mail("b")), key("Sender", cim.Str("ab"), "Mail", mail("")),
	} {
		if seen[k] {
			t.Errorf("group %q has two kinds of events", k)
		}
		seen[k] = true
	}
	if key() != key("Mail", cim.Obj(makeObject(t, "Mail"))) {
		t.Error("NULL and what is not there are two groups")
	}
	if b, err = bindEvent(`SELECT * FROM EmailEvent GROUP WITHIN 5`); err != nil || len(b.AppendGroup(nil, makeObject(t, "EmailEvent", "Sender", cim.Str("a")))) != 0 {
		t.Errorf("without BY there is one group: %v", err)
	}
}

func FuzzParseEvent(f *testing.F) {
	for _, s := range []string{
		`SELECT * FROM __InstanceOperationEvent WITHIN 2.5 WHERE TargetInstance ISA 'Win32_Process' AND NOT (TargetInstance.Handle LIKE '[^4]%' OR PreviousInstance.__CLASS = 'My_Process')`,
		`select TargetInstance.Name from __InstanceModificationEvent where TargetInstance isa My_Process or TargetInstance isa 'Win32_Service' and targetinstance.name='x' group within 5 by TargetInstance.Name having NumberOfEvents >= 0x3;`,
		`SELECT * FROM __InstanceModificationEvent WITHIN 1 WHERE TargetInstance ISA 'Win32_Process' AND TargetInstance.Name<>PreviousInstance.Name AND TIME_CREATED >= TargetInstance.ProcessId`,
		`SELECT Sender, Mail.Subject FROM EmailEvent WHERE Mail.Part.X IS NOT NULL AND 5 < Importance GROUP WITHIN 1 BY Sender`,
	} {
		f.Add(s)
	}
	lookup := eventClasses()
	events := []*cim.Instance{
		makeObject(f, "__InstanceModificationEvent", "TargetInstance", cim.Obj(makeObject(f, "My_Process", "Handle", cim.Str("4"), "Name", cim.Str("x"), "ProcessId", cim.U32(4))),
			"PreviousInstance", cim.Obj(makeObject(f, "My_Process", "Handle", cim.Str("4"), "Name", cim.Str("y"), "Critical", cim.Bool(true)))),
		makeObject(f, "__InstanceModificationEvent", "TargetInstance", cim.Obj(makeObject(f, "Win32_Service", "Name", cim.Str("x"))),
			"PreviousInstance", cim.Obj(makeObject(f, "Win32_Service", "Name", cim.Str("x")))),
		makeObject(f, "EmailEvent", "Sender", cim.Str("x")),
	}
	f.Fuzz(func(t *testing.T, s string) {
		q, err := ParseEvent(s)
		if err != nil {
			var e *cim.Error
			if !errors.As(err, &e) || e.Status == cim.ErrInvalidQuery {
				t.Fatalf("%v", err)
			}
			return
		}
		class := lookup(q.Class)
		if class == nil {
			return
		}
		b, err := BindEvent(q, class, lookup)
		if err != nil {
			return
		}
		for _, e := range events {
			b.AppendGroup(nil, e)
			if b.Match(e) {
				checkPolls(t, s, b, e.Get("TargetInstance").Object(), lookup)
			}
		}
	})
}

// checkPolls sees to it that an instance of an event that matches is in the
// results of the polls.
func checkPolls(t *testing.T, query string, b *BoundEvent, target *cim.Instance, lookup func(string) *cim.Class) {
	if b.Never {
		t.Fatalf("%q is met", query)
	}
	if b.Required("TargetInstance") == nil || target == nil {
		return
	}
	for _, q := range b.Polls() {
		if !target.Class().IsA(q.Class) {
			continue
		}
		poll, err := Bind(q, target.Class())
		if err != nil {
			t.Fatalf("%q: poll of %s: %v", query, q.Class, err)
		}
		if poll.Match(target) {
			return
		}
	}
	t.Fatalf("%q is met by a %s that the polls do not find", query, target.Class().Name)
}

func FuzzParseSchema(f *testing.F) {
	for _, s := range []string{
		`SELECT * FROM meta_class WHERE __this ISA "C" AND NOT __CLASS < 'Win32' OR __SUPERCLASS IS NULL`,
		`select * from META_CLASS where __Dynasty='a' and (__class like '[a-f]%' or __derivation is null);`,
	} {
		f.Add(s)
	}
	class := cim.NewClass("C", cim.NewClass("B", nil).Build(`root\cimv2`)).Build("")
	f.Fuzz(func(t *testing.T, s string) {
		q, err := ParseSchema(s)
		if err != nil || !q.Match(class) {
			return
		}
		switch x := q.Scope; {
		case x.Names != nil && !slices.ContainsFunc(x.Names, func(n string) bool { return cim.EqualFold(n, "C") }),
			x.Below != "" && !class.IsA(x.Below), x.Children != "" && !cim.EqualFold(x.Children, "B"), x.Tops:
			t.Errorf("%q is met out of scope %+v", s, x)
		}
	})
}

// BenchmarkEventMatch looks at 100 000 events, of which none is a result.
func BenchmarkEventMatch(b *testing.B) {
	bound, err := bindEvent(`SELECT * FROM __InstanceModificationEvent WITHIN 5 WHERE TargetInstance ISA 'Win32_Process' AND TargetInstance.Name LIKE 'a%' AND TargetInstance.ProcessId > 9`)
	if err != nil {
		b.Fatal(err)
	}
	event := makeObject(b, "__InstanceModificationEvent", "TargetInstance", cim.Obj(makeObject(b, "Win32_Process", "Name", cim.Str("bash"), "ProcessId", cim.U32(42))))
	b.ReportAllocs()
	for b.Loop() {
		for range 100_000 {
			if bound.Match(event) {
				b.Fatal("a result")
			}
		}
	}
}
