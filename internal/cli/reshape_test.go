package cli

import (
	"bytes"
	"testing"

	"github.com/casementhq/casement/cim"
)

// An event shows its class and its moment. 134 397 456 000 000 000 ticks of
// 100 ns since 1601 are 2026-11-21 14:40:00 UTC: `date -ud @$((134397456000000000/10000000-11644473600))`.
func TestEventRows(t *testing.T) {
	part := cim.NewClass("Part", nil).Key("Name", cim.String).Property("Size", cim.Uint32).Build(`root\cimv2`)
	event := cim.NewClass("__InstanceDeletionEvent", nil).Property("SECURITY_DESCRIPTOR", cim.Uint8.Array()).
		Property("TIME_CREATED", cim.Uint64).Property("TargetInstance", cim.Object).Build(`root\cimv2`)
	gone := cim.MakeInstance(part, []cim.Value{cim.Str("a"), cim.U32(7)})
	i := cim.MakeInstance(event, []cim.Value{cim.Null(cim.Uint8.Array()), cim.U64(134397456000000000), cim.Obj(gone)})
	far := cim.MakeInstance(event, []cim.Value{cim.Null(cim.Uint8.Array()), cim.U64(1 << 63), cim.Null(cim.Object)})
	for format, want := range map[string]string{
		"csv": "__CLASS,TIME_CREATED,TargetInstance\n__InstanceDeletionEvent,2026-11-21T14:40:00Z,\"Part.Name=\"\"a\"\"\"\n__InstanceDeletionEvent,,\n",
		"json": `[
{"__CLASS":"__InstanceDeletionEvent","TIME_CREATED":"2026-11-21T14:40:00Z","TargetInstance":{"Name":"a","Size":7}},
{"__CLASS":"__InstanceDeletionEvent","TIME_CREATED":null,"TargetInstance":null}
]
`,
	} {
		var b bytes.Buffer
		w := eventRows(format, newRows(format, &b))
		if err := w.write("", []*cim.Instance{i, far}); err != nil {
			t.Fatal(err)
		}
		if err := w.close(); err != nil || b.String() != want {
			t.Errorf("%s, %v:\n%s\nwant:\n%s", format, err, b.String(), want)
		}
	}
}

// A SID in binary form reads as a SID; bytes that are none stay bytes.
func TestSIDCells(t *testing.T) {
	administrators := cim.Bytes([]byte{1, 2, 0, 0, 0, 0, 0, 5, 32, 0, 0, 0, 32, 2, 0, 0})
	if s := sidText("CreatorSID", administrators); s != "S-1-5-32-544" {
		t.Errorf("%q", s)
	}
	if s := sidText("Data", administrators) + sidText("CreatorSID", cim.Bytes([]byte{1, 2, 3})) + sidText("CreatorSID", cim.Null(cim.Uint8.Array())); s != "" {
		t.Errorf("%q", s)
	}
}
