package wmiserver

import (
	"context"
	"errors"
	"io"
	"testing"

	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/cim/cimtest"
	"github.com/casementhq/casement/cimom"
	"github.com/casementhq/casement/wmi"
)

// veiled has two instances, of which its callers see one.
type veiled struct{ class *cim.Class }

func (v veiled) Classes() []*cim.Class { return []*cim.Class{v.class} }

func (v veiled) List(_ context.Context, r *cimom.Request, yield func(*cim.Instance) error) error {
	i := cim.NewInstance(r.Class)
	if err := i.Set("ID", cim.Str("seen")); err != nil {
		return err
	}
	r.LeaveOut()
	return yield(i)
}

// Who may see some instances and not all is told WBEM_S_ACCESS_DENIED, 0x40009, at the end of an asynchronous
// operation, and nothing where there is no word at the end. See the page "WMI Error Constants" and spec/wmi.md 1.4.
func TestLeftOut(t *testing.T) {
	m := manager(t, veiled{cim.NewClass("Test_Veiled", nil).Key("ID", cim.String).Build(cimtest.Namespace)})
	p := newPeer(t, Options{Opener: m, Callbacks: anonymous})
	s := p.login(cimtest.Namespace)
	for n, c := range []struct {
		query  string
		status cim.Status
	}{{"SELECT * FROM Test_Veiled", 0x40009}, {"SELECT * FROM CT_Part", 0}} {
		sink := p.sinks.new(uint64(n + 1))
		want(t, "ExecQueryAsync", p.queryAsync(s, c.query, sink), 0)
		got := sink.final(t)
		want(t, c.query, got.Status, c.status)
		if got.Object != nil || len(sink.objects) == 0 || got.Flags != wmi.StatusComplete {
			t.Errorf("%s: %d objects, an error object: %v", c.query, len(sink.objects), got.Object != nil)
		}
	}
	session, err := m.Open(t.Context(), p.caller, cimtest.Namespace, cim.OpenOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer session.Close()
	e, err := session.Query(t.Context(), "SELECT * FROM Test_Veiled", cim.QueryOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	if list, err := e.Next(t.Context(), 10); len(list) != 1 || err != nil {
		t.Errorf("%v, %v", list, err)
	}
	if _, err := e.Next(t.Context(), 10); !errors.Is(err, io.EOF) || !e.(cim.Filtered).LeftOut() {
		t.Errorf("the end: %v", err)
	}
	p.idle()
}
