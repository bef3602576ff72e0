package cimom_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/cim/mof"
	"github.com/casementhq/casement/cimom"
	"github.com/casementhq/casement/cimom/schema"
	"github.com/casementhq/casement/security"
)

// worker is a provider that can do everything.
type worker struct{ classes []*cim.Class }

func newWorker(t *testing.T) *worker {
	t.Helper()
	base, _, err := mof.Definitions(schema.Files, "common.mof", "events.mof")
	if err != nil {
		t.Fatal(err)
	}
	job := cim.NewClass("Job", nil).Dynamic().Key("Id", cim.String).Property("Size", cim.Uint32, cim.Writable()).
		Method("Do", cim.Uint32, cim.In("Password", cim.String)).Build(`root\default`)
	link := cim.NewClass("JobLink", nil).Qualifier(cim.Qualifier{Name: "Association", Value: cim.Bool(true)}).Dynamic().
		Key("From", cim.Reference).Key("To", cim.Reference).Build(`root\default`)
	n := slices.IndexFunc(base, func(c *cim.Class) bool { return c.Name == "__ExtrinsicEvent" })
	bell := cim.NewClass("Bell", base[n]).Property("N", cim.Uint32).Build(`root\default`)
	return &worker{[]*cim.Class{job, link, bell}}
}

func (w *worker) Classes() []*cim.Class { return w.classes }
func (w *worker) ProviderName() string  { return "Worker" }

func (w *worker) List(_ context.Context, r *cimom.Request, yield func(*cim.Instance) error) error {
	if r.Class.Name != "Job" {
		return nil
	}
	i := cim.NewInstance(r.Class)
	return errors.Join(i.Set("Id", cim.Str("a")), yield(i))
}

func (w *worker) Get(_ context.Context, r *cimom.Request, path cim.ObjectPath) (*cim.Instance, error) {
	id, _ := path.Key("Id")
	if id.String() == "none" {
		return nil, cim.ErrNotFound
	}
	if id.String() == "crash" {
		panic("as the test wants")
	}
	i := cim.NewInstance(r.Class)
	return i, i.Set("Id", id)
}

func (w *worker) Create(_ context.Context, _ *cimom.Request, i *cim.Instance) error {
	if i.Get("Id").String() == "a" {
		return cim.ErrAlreadyExists
	}
	return nil
}
func (w *worker) Put(context.Context, *cimom.Request, *cim.Instance) error { return nil }
func (w *worker) Delete(context.Context, *cimom.Request, cim.ObjectPath) error {
	return errors.New("a secret")
}
func (w *worker) Walk(context.Context, *cimom.Request, cim.ObjectPath, string, func(*cim.Instance) error) error {
	return nil
}

func (w *worker) Invoke(context.Context, *cimom.Request, cim.ObjectPath, string, cim.Arguments) (cim.Result, error) {
	return cim.Result{ReturnValue: cim.U32(0)}, nil
}

func (w *worker) Events(ctx context.Context, _ *cimom.Request, _ func(*cim.Instance) error) error {
	<-ctx.Done()
	return nil
}

// described is an event in a line: its class and what it has values for.
func described(i *cim.Instance) string {
	parts := []string{strings.TrimPrefix(i.Class().Name, "Msft_WmiProvider_")}
	for n := range i.Len() {
		switch name := i.Class().Properties[n].Name; {
		case i.At(n).IsNull(), slices.Contains([]string{"TIME_CREATED", "SECURITY_DESCRIPTOR", "HostingGroup", "Locale", "TransactionIdentifer", "User", "HostingSpecification", "Namespace", "provider"}, name):
		case i.At(n).Object() != nil:
			parts = append(parts, name+"="+i.At(n).Object().Class().Name+":"+i.At(n).Object().Get("Id").String())
		case strings.HasPrefix(name, "Result"):
			code, _ := i.At(n).Uint()
			parts = append(parts, fmt.Sprintf("%s=%#x", name, code))
		default:
			parts = append(parts, name+"="+i.At(n).String())
		}
	}
	return strings.Join(parts, " ")
}

// TestOperationEvents: who subscribes in root\cimv2 sees each call of a provider
// before and after it, wherever it is, with what the pages of the classes have;
// arguments and the inside of errors are no part of it.
func TestOperationEvents(t *testing.T) {
	m := cimom.New(cimom.Options{Server: "BOX"})
	defer m.Close()
	if err := m.Register(newWorker(t)); err != nil {
		t.Fatal(err)
	}
	s, root := open(t, m, `root\default`), open(t, m, `root\cimv2`)
	events := subscribe(t, root, `SELECT * FROM Msft_WmiProvider_OperationEvent WHERE provider = 'Worker'`)
	user := subscribe(t, root.With(caller(false, security.SIDAuthenticatedUsers)), `SELECT * FROM Msft_WmiProvider_OperationEvent`)
	job := func(id string) cim.ObjectPath { return instancePath("Job", id) }
	const path = `\\BOX\root\default:Job.Id=`
	for _, tt := range []struct {
		what string
		do   func()
		want []string
	}{
		{"Get", func() { s.Get(t.Context(), job("x"), cim.GetOptions{}) }, []string{
			`GetObjectAsyncEvent_Pre Flags=0 ObjectPath=` + path + `"x"`, `GetObjectAsyncEvent_Post Flags=0 ObjectPath=` + path + `"x" ResultCode=0x0`}},
		{"Get of nothing", func() { s.Get(t.Context(), job("none"), cim.GetOptions{}) }, []string{
			`GetObjectAsyncEvent_Pre Flags=0 ObjectPath=` + path + `"none"`, `GetObjectAsyncEvent_Post Flags=0 ObjectPath=` + path + `"none" ResultCode=0x80041002`}},
		{"a panic", func() { s.Get(t.Context(), job("crash"), cim.GetOptions{}) }, []string{
			`GetObjectAsyncEvent_Pre Flags=0 ObjectPath=` + path + `"crash"`, `GetObjectAsyncEvent_Post Flags=0 ObjectPath=` + path + `"crash" ResultCode=0x80041004`}},
		{"Enumerate", func() { query(t, s, `SELECT * FROM Job`) }, []string{
			`CreateInstanceEnumAsyncEvent_Pre ClassName=Job Flags=0`, `CreateInstanceEnumAsyncEvent_Post ClassName=Job Flags=0 ResultCode=0x0`}},
		{"Query", func() { query(t, s, `SELECT Id FROM Job WHERE Size = 5 AND NOT Id LIKE '%x'`) }, []string{
			`ExecQueryAsyncEvent_Pre Flags=0 Query=SELECT Id, Size FROM Job WHERE Size = 5 QueryLanguage=WQL`,
			`ExecQueryAsyncEvent_Post Flags=0 Query=SELECT Id, Size FROM Job WHERE Size = 5 QueryLanguage=WQL ResultCode=0x0`}},
		{"Associators", func() { query(t, s, `REFERENCES OF {Job.Id="x"} WHERE Role=From`) }, []string{
			`GetObjectAsyncEvent_Pre Flags=0 ObjectPath=` + path + `"x"`, `GetObjectAsyncEvent_Post Flags=0 ObjectPath=` + path + `"x" ResultCode=0x0`,
			`ExecQueryAsyncEvent_Pre Flags=0 Query=REFERENCES OF {` + path + `"x"} WHERE ResultClass = JobLink Role = From QueryLanguage=WQL`,
			`ExecQueryAsyncEvent_Post Flags=0 Query=REFERENCES OF {` + path + `"x"} WHERE ResultClass = JobLink Role = From QueryLanguage=WQL ResultCode=0x0`}},
		{"Create", func() {
			s.Create(t.Context(), make1(t, s, "Job", map[string]cim.Value{"Id": cim.Str("a")}), cim.OperationOptions{})
		}, []string{
			`PutInstanceAsyncEvent_Pre Flags=2 InstanceObject=Job:a`, `PutInstanceAsyncEvent_Post Flags=2 InstanceObject=Job:a ResultCode=0x80041019`}},
		{"Put", func() {
			s.Put(t.Context(), make1(t, s, "Job", map[string]cim.Value{"Id": cim.Str("a")}), cim.PutOptions{})
		}, []string{
			`PutInstanceAsyncEvent_Pre Flags=1 InstanceObject=Job:a`, `PutInstanceAsyncEvent_Post Flags=1 InstanceObject=Job:a ResultCode=0x0`}},
		{"Delete", func() { s.Delete(t.Context(), job("x"), cim.OperationOptions{}) }, []string{
			`GetObjectAsyncEvent_Pre Flags=0 ObjectPath=` + path + `"x"`, `GetObjectAsyncEvent_Post Flags=0 ObjectPath=` + path + `"x" ResultCode=0x0`,
			`DeleteInstanceAsyncEvent_Pre Flags=0 ObjectPath=` + path + `"x"`, `DeleteInstanceAsyncEvent_Post Flags=0 ObjectPath=` + path + `"x" ResultCode=0x80041004`}},
		{"Invoke", func() {
			s.Invoke(t.Context(), job("x"), "Do", cim.Arguments{{Name: "Password", Value: cim.Str("secret")}}, cim.OperationOptions{})
		}, []string{
			`GetObjectAsyncEvent_Pre Flags=0 ObjectPath=` + path + `"x"`, `GetObjectAsyncEvent_Post Flags=0 ObjectPath=` + path + `"x" ResultCode=0x0`,
			`ExecMethodAsyncEvent_Pre Flags=0 MethodName=Do ObjectPath=` + path + `"x"`, `ExecMethodAsyncEvent_Post Flags=0 MethodName=Do ObjectPath=` + path + `"x" ResultCode=0x0`}},
		{"Subscribe", func() { subscribe(t, s, `SELECT * FROM Bell`).Close() }, []string{
			`ProvideEvents_Pre Flags=0`, `ProvideEvents_Post Flags=0 Result=0x0`}},
	} {
		tt.do()
		for _, want := range tt.want {
			i := event(t, events, soon*100)
			if i == nil {
				t.Fatalf("%s: no event, want %s", tt.what, want)
			}
			if got := described(i); got != want {
				t.Errorf("%s:\n got %s\nwant %s", tt.what, got, want)
			}
			who := fmt.Sprint(i.Get("Namespace"), i.Get("HostingSpecification"), "<", i.Get("HostingGroup"), i.Get("Locale"), i.Get("TransactionIdentifer"), i.Get("User"), ">")
			if who != `root\default 5<   >` || !i.Class().IsA("MSFT_WmiSelfEvent") {
				t.Errorf("%s: it is said of %s", tt.what, who)
			}
		}
	}
	if i := event(t, events, soon); i != nil {
		t.Errorf("one event more: %s", described(i))
	}
	if i := event(t, user, soon); i != nil {
		t.Errorf("a user gets %s", described(i))
	}
	// what is stored has no provider
	put(t, s, keyed("Kept", ""), cim.PutClassOptions{})
	create(t, s, "Kept", map[string]cim.Value{"Id": cim.Str("1")})
	query(t, s, `SELECT * FROM Kept`)
	all := subscribe(t, root, `SELECT * FROM Msft_WmiProvider_OperationEvent`)
	query(t, s, `SELECT * FROM Kept`)
	if i := event(t, all, soon); i != nil {
		t.Errorf("an event of the repository: %s", described(i))
	}
}

// notThere is a provider that is registered and not connected.
type notThere struct{ outside }

func (*notThere) List(context.Context, *cimom.Request, func(*cim.Instance) error) error {
	return &cim.Error{Status: cim.ErrProviderLoadFailure}
}

// TestLoadEvents: a provider that is wanted and not at hand, and processes that
// come and go.
func TestLoadEvents(t *testing.T) {
	var m *cimom.Manager
	process := cimom.ProviderProcess{Namespace: `root\cimv2`, Provider: "Far", User: "ann", PID: 4711}
	m = cimom.New(cimom.Options{
		Providers:         func(string, string) cimom.Provider { return &notThere{} },
		ProviderProcesses: func() []cimom.ProviderProcess { return []cimom.ProviderProcess{process} },
	})
	defer m.Close()
	s := open(t, m, `root\cimv2`)
	create(t, s, "__Win32Provider", map[string]cim.Value{"Name": cim.Str("Far"), "HostingModel": cim.Str("Decoupled:Com")})
	create(t, s, "__InstanceProviderRegistration", map[string]cim.Value{"provider": cim.Ref(`__Win32Provider.Name="Far"`), "SupportsEnumeration": cim.Bool(true)})
	class := keyed("Distant", "")
	class.Qualifiers = cim.Qualifiers{{Name: "Dynamic", Value: cim.Bool(true)}, {Name: "Provider", Value: cim.Str("Far")}}
	put(t, s, class, cim.PutClassOptions{})
	events := subscribe(t, s, `SELECT * FROM Msft_WmiProvider_OperationEvent`)
	e, err := s.Enumerate(t.Context(), "Distant", cim.EnumerateOptions{})
	if err == nil {
		_, err = cim.Collect(t.Context(), e)
	}
	if !errors.Is(err, cim.ErrProviderLoadFailure) {
		t.Fatal(err)
	}
	m.ProviderLoaded(process)
	m.ProviderUnloaded(process)
	for _, want := range []string{
		"CreateInstanceEnumAsyncEvent_Pre ClassName=Distant Flags=0", "CreateInstanceEnumAsyncEvent_Post ClassName=Distant Flags=0 ResultCode=0x80041013",
		"LoadOperationFailureEvent ResultCode=0x80041013", "LoadOperationEvent InProcServer=FALSE LocalServer=TRUE", "UnLoadOperationEvent",
	} {
		i := event(t, events, soon*100)
		if i == nil {
			t.Fatalf("no event, want %s", want)
		}
		if got := described(i); !strings.EqualFold(got, want) || i.Get("provider").String() != "Far" || i.Get("HostingSpecification").String() != "3" ||
			strings.Contains(want, "Load") && !strings.Contains(want, "Failure") && i.Get("User").String() != "ann" {
			t.Errorf("got %s of %v, want %s", got, i, want)
		}
	}
	list := query(t, s, `SELECT * FROM MSFT_Providers WHERE provider = 'Far'`)
	if len(list) != 1 || list[0].Get("HostProcessIdentifier").String() != "4711" || list[0].Get("User").String() != "ann" {
		t.Errorf("loaded: %v", list)
	}
}

// TestLoadedProviders: Msft_Providers has the built-in providers in each
// namespace, with what they were asked there.
func TestLoadedProviders(t *testing.T) {
	m := cimom.New(cimom.Options{})
	defer m.Close()
	if err := m.Register(newWorker(t)); err != nil {
		t.Fatal(err)
	}
	s, root := open(t, m, `root\default`), open(t, m, `root\cimv2`)
	for range 3 {
		query(t, s, `SELECT * FROM Job`)
	}
	query(t, s, `SELECT * FROM Job WHERE Size = 1`)
	for range 2 {
		if _, err := s.Get(t.Context(), instancePath("Job", "x"), cim.GetOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.Invoke(t.Context(), instancePath("Job", "x"), "Do", nil, cim.OperationOptions{}); err != nil { // looks for the instance first
		t.Fatal(err)
	}
	list := query(t, root, `SELECT * FROM Msft_Providers`)
	if len(list) != 1 {
		t.Fatalf("loaded: %v", list)
	}
	got := map[string]string{}
	for n := range list[0].Len() {
		got[list[0].Class().Properties[n].Name] = list[0].At(n).String()
	}
	want := map[string]string{
		"HostingGroup": "", "HostingSpecification": "5", "HostProcessIdentifier": fmt.Sprint(os.Getpid()), "Locale": "", "Namespace": `root\default`,
		"provider": "Worker", "TransactionIdentifier": "", "User": "",
		"ProviderOperation_CreateInstanceEnumAsync": "3", "ProviderOperation_ExecQueryAsync": "1", "ProviderOperation_GetObjectAsync": "3",
		"ProviderOperation_ExecMethodAsync": "1", "ProviderOperation_PutInstanceAsync": "0", "ProviderOperation_DeleteInstanceAsync": "0",
		"ProviderOperation_GetProperty": "0", "ProviderOperation_PutProperty": "0", "ProviderOperation_ProvideEvents": "0",
	}
	if !maps.Equal(got, want) {
		t.Errorf("got %v\nwant %v", got, want)
	}
	path, whole := list[0].Path()
	if !whole {
		t.Fatal("it has no path")
	}
	again, err := root.Get(t.Context(), path, cim.GetOptions{})
	if err != nil || !again.Equal(list[0]) {
		t.Errorf("by its path: %v, %v", again, err)
	}
	path.Keys[0].Value = cim.Str("elsewhere")
	if _, err := root.Get(t.Context(), path, cim.GetOptions{}); !errors.Is(err, cim.ErrNotFound) {
		t.Errorf("another: %v", err)
	}
	if err := root.Put(t.Context(), list[0], cim.PutOptions{}); !errors.Is(err, cim.ErrProviderNotCapable) {
		t.Errorf("a change: %v", err)
	}
}
