package cimom_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/cimom"
	"github.com/casementhq/casement/security"
)

func instancePath(class, id string) cim.ObjectPath {
	return cim.ObjectPath{Class: class, Keys: []cim.Key{{Name: "Id", Value: cim.Str(id)}}}
}

func TestStoredInstances(t *testing.T) {
	s := storing(t)
	put(t, s, keyed("A", ""), cim.PutClassOptions{})
	strict := cim.Class{Name: "B", Superclass: "A", Properties: []cim.Property{
		{Name: "Must", Type: cim.Uint32, Qualifiers: cim.Qualifiers{{Name: "Not_Null", Value: cim.Bool(true)}}},
		{Name: "Colour", Type: cim.String, Qualifiers: cim.Qualifiers{{Name: "Indexed", Value: cim.Bool(true)}}},
		{Name: "Size", Type: cim.Uint64, Default: cim.U64(7)},
	}}
	put(t, s, strict, cim.PutClassOptions{})
	whole := func(id string) map[string]cim.Value {
		return map[string]cim.Value{"Id": cim.Str(id), "Must": cim.U32(1), "Colour": cim.Str("red"), "Note": cim.Str("n")}
	}
	if _, err := s.Create(t.Context(), make1(t, s, "A", nil), cim.OperationOptions{}); !errors.Is(err, cim.ErrNoKey) {
		t.Errorf("T-75: a NULL key: %v", err)
	}
	for _, name := range []string{"Must", "Colour"} {
		values := whole("x")
		delete(values, name)
		if _, err := s.Create(t.Context(), make1(t, s, "B", values), cim.OperationOptions{}); !errors.Is(err, cim.ErrIllegalNull) {
			t.Errorf("T-75: NULL in %s: %v", name, err)
		}
	}
	create(t, s, "B", whole("1"))
	for _, class := range []string{"B", "A"} { // the key is the one of A
		values := whole("1")
		if class == "A" {
			values = map[string]cim.Value{"Id": cim.Str("1")}
		}
		if _, err := s.Create(t.Context(), make1(t, s, class, values), cim.OperationOptions{}); !errors.Is(err, cim.ErrAlreadyExists) {
			t.Errorf("T-76: CREATE_ONLY of a second %s: %v", class, err)
		}
	}
	if err := s.Put(t.Context(), make1(t, s, "B", whole("2")), cim.PutOptions{}); !errors.Is(err, cim.ErrNotFound) {
		t.Errorf("T-77: UPDATE_ONLY of what is missing: %v", err)
	}
	if got, err := s.Get(t.Context(), instancePath("a", "1"), cim.GetOptions{}); err != nil || got.Class().Name != "B" || got.Get("Size").String() != "7" {
		t.Errorf("Get by the superclass: %v, %v", got, err)
	}
	partial := func(mode cim.PutMode, more ...cim.NamedValue) error {
		o := cim.PutOptions{Mode: mode}
		o.Context = append(cim.NamedArray{{Name: "__PUT_EXTENSIONS", Value: cim.Bool(true)}, {Name: "__PUT_EXT_CLIENT_REQUEST", Value: cim.Bool(true)}}, more...)
		i := make1(t, s, "B", map[string]cim.Value{"Id": cim.Str("1"), "Note": cim.Str("new"), "Colour": cim.Str("blue")})
		return s.Put(t.Context(), i, o)
	}
	if err := partial(cim.CreateOrUpdate); !errors.Is(err, cim.ErrInvalidContext) {
		t.Errorf("T-78: a partial update without UPDATE_ONLY: %v", err)
	}
	note := cim.NamedValue{Name: "__PUT_EXT_PROPERTIES", Value: cim.Strs([]string{"Note", "__CLASS"})}
	if err := partial(cim.UpdateOnly, note); err != nil {
		t.Fatal(err)
	}
	got, err := s.Get(t.Context(), instancePath("B", "1"), cim.GetOptions{})
	if err != nil || got.Get("Note").String() != "new" || got.Get("Colour").String() != "red" || got.Get("Must").String() != "1" {
		t.Errorf("after a partial update: %v, %v", got, err)
	}
	if err := partial(cim.UpdateOnly); err != nil { // all that is not NULL
		t.Fatal(err)
	}
	if got := query(t, s, "SELECT * FROM B WHERE Colour='BLUE' AND Must=1"); len(got) != 1 {
		t.Errorf("by the index: %d instances", len(got))
	}
	if err := partial(cim.UpdateOnly, cim.NamedValue{Name: "__PUT_EXT_STRICT_NULLS", Value: cim.Bool(true)}); !errors.Is(err, cim.ErrIllegalNull) {
		t.Errorf("strict NULLs: %v", err)
	}
	for _, tt := range []struct {
		value cim.NamedValue
		want  int
	}{
		{cim.NamedValue{Name: "__GET_EXT_PROPERTIES", Value: cim.Strs([]string{"Size", "Note"})}, 2},
		{cim.NamedValue{Name: "__GET_EXT_KEYS_ONLY", Value: cim.Bool(true)}, 1},
	} {
		o := cim.GetOptions{OperationOptions: cim.OperationOptions{Context: cim.NamedArray{{Name: "__GET_EXTENSIONS", Value: cim.Bool(true)}, tt.value}}}
		if got, err := s.Get(t.Context(), instancePath("B", "1"), o); err != nil || got.Len() != tt.want {
			t.Errorf("a partial read by %s: %v, %v", tt.value.Name, got, err)
		}
	}
	if err := s.Delete(t.Context(), instancePath("A", "1"), cim.OperationOptions{}); err != nil {
		t.Fatal(err)
	}
	if got := query(t, s, "SELECT * FROM A"); len(got) != 0 {
		t.Errorf("T-50: after the deletion: %d instances", len(got))
	}
	if _, err := s.Create(t.Context(), make1(t, s, "__Win32Provider", nil), cim.OperationOptions{}); !errors.Is(err, cim.ErrNoKey) {
		t.Errorf("a registration without a name: %v", err)
	}
}

// A filter without a name gets one, and every part of a subscription the SID
// of its creator. See spec/wmi.md 5.3.
func TestCreatorSID(t *testing.T) {
	s := storing(t)
	user := caller(false, security.SIDAuthenticatedUsers)
	user.Token.User = security.SIDLocalService
	if err := setSD(t, s, sdBytes(t, "O:BAG:BAD:(A;;0x6003f;;;BA)(A;;0x9;;;AU)")); err != nil {
		t.Fatal(err)
	}
	query1 := map[string]cim.Value{"Query": cim.Str("SELECT * FROM __ClassCreationEvent"), "CreatorSID": cim.Array(cim.Uint8, []cim.Value{cim.U8(9)})}
	for who, c := range map[string]cim.Caller{"S-1-5-32-544": administrator(), "S-1-5-19": user} {
		own := s.With(c)
		path := create(t, own, "__EventFilter", query1)
		got, err := own.Get(t.Context(), path, cim.GetOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if name := got.Get("Name").String(); len(name) != 38 || name[0] != '{' {
			t.Errorf("the name of a filter without one: %q", name)
		}
		if sid, _, err := security.DecodeSID(bytesIn(got.Get("CreatorSID"))); err != nil || sid.String() != who {
			t.Errorf("CreatorSID %v, want %s", sid, who)
		}
	}
}

// What an answer is made of. See spec/wmi.md T-47 to T-50 and T-59 to T-66.
func TestQueriesOverStored(t *testing.T) {
	s := storing(t)
	put(t, s, keyed("Parent", ""), cim.PutClassOptions{})
	put(t, s, keyed("Son", "Parent"), cim.PutClassOptions{})
	put(t, s, keyed("Grandson", "Son"), cim.PutClassOptions{})
	put(t, s, keyed("Daughter", "Parent"), cim.PutClassOptions{})
	link := cim.Class{Name: "Link", Qualifiers: cim.Qualifiers{{Name: "Association", Value: cim.Bool(true)}}, Properties: []cim.Property{
		{Name: "N", Type: cim.Uint32, Qualifiers: cim.Qualifiers{key()}},
		{Name: "Left", Type: cim.Reference, RefClass: "Parent"}, {Name: "Right", Type: cim.Reference, RefClass: "Daughter"},
	}}
	put(t, s, link, cim.PutClassOptions{})
	for _, class := range []string{"Parent", "Son", "Grandson", "Daughter"} {
		create(t, s, class, map[string]cim.Value{"Id": cim.Str(class)})
	}
	for n := range uint32(2) { // two associations of the same two
		create(t, s, "Link", map[string]cim.Value{"N": cim.U32(n), "Left": cim.Ref(`Son.Id="Son"`), "Right": cim.Ref(`\\HOST\root\cimv2:Daughter.Id="Daughter"`)})
	}
	for _, tt := range []struct{ what, query, want string }{
		{"T-59: subclasses too", "SELECT * FROM Parent", "Daughter,Grandson,Parent,Son"},
		{"T-59: the parent's own", `SELECT * FROM Parent WHERE __CLASS="Parent"`, "Parent"},
		{"T-50: an empty result", `SELECT * FROM Parent WHERE Id="nothing"`, ""},
		{"by key", `SELECT * FROM Parent WHERE Id="grandson"`, "Grandson"},
		{"T-62: ISA", `SELECT * FROM meta_class WHERE __this ISA "Parent"`, "Daughter,Grandson,Parent,Son"},
		{"T-62: __CLASS", `SELECT * FROM meta_class WHERE __CLASS="Parent"`, "Parent"},
		{"T-62: __SUPERCLASS", `SELECT * FROM meta_class WHERE __SUPERCLASS="parent"`, "Daughter,Son"},
		{"T-62: __DYNASTY", `SELECT * FROM meta_class WHERE __DYNASTY="Parent"`, "Daughter,Grandson,Parent,Son"},
		{"schema by LIKE", `SELECT * FROM meta_class WHERE __CLASS LIKE "%son"`, "Grandson,Son"},
		{"T-65: once for each association", `ASSOCIATORS OF {Son.Id="Son"}`, "Daughter,Daughter"},
		{"T-63: keywords in any order", `ASSOCIATORS OF {Son.Id="Son"} WHERE Role=Left ResultClass=Daughter AssocClass=Link`, "Daughter,Daughter"},
		{"definitions only", `ASSOCIATORS OF {Son.Id="Son"} WHERE ClassDefsOnly`, "Daughter"},
		{"definitions of associations", `REFERENCES OF {Son.Id="Son"} WHERE ClassDefsOnly`, "Link"},
		{"the schema's ends", `ASSOCIATORS OF {Son} WHERE SchemaOnly`, "Daughter"},
		{"the schema's ends from the other side", `ASSOCIATORS OF {Daughter} WHERE SchemaOnly ResultRole=Left`, "Parent"},
		{"the schema's associations", `REFERENCES OF {Daughter} WHERE SchemaOnly`, "Link"},
	} {
		if got := classNames(query(t, s, tt.query)); got != tt.want {
			t.Errorf("%s: %s, want %s", tt.what, got, tt.want)
		}
	}
	for _, i := range query(t, s, `SELECT * FROM meta_class WHERE __this ISA "Parent"`) {
		if !i.IsClass() {
			t.Errorf("%s is an instance and not a class", i.Class().Name)
		}
	}
	for _, tt := range []struct {
		what, query string
		want        cim.Status
	}{
		{"T-61: a schema query of a property", "SELECT Id FROM meta_class", cim.ErrInvalidQuery},
		{"T-63: AND between keywords", `ASSOCIATORS OF {Son.Id="Son"} WHERE Role=Left AND ResultClass=Daughter`, cim.ErrInvalidQuery},
		{"T-63: another operator", `ASSOCIATORS OF {Son.Id="Son"} WHERE Role<>Left`, cim.ErrInvalidQuery},
		{"T-64: ClassDefsOnly with ResultClass", `ASSOCIATORS OF {Son.Id="Son"} WHERE ClassDefsOnly ResultClass=Daughter`, cim.ErrInvalidQuery},
		{"SchemaOnly of an instance", `ASSOCIATORS OF {Son.Id="Son"} WHERE SchemaOnly`, cim.ErrInvalidQuery},
	} {
		if _, err := s.Query(t.Context(), tt.query, cim.QueryOptions{}); !errors.Is(err, tt.want) {
			t.Errorf("%s: %v, want %v", tt.what, err, tt.want)
		}
	}
	if _, err := s.Query(t.Context(), "SELECT * FROM Parent", cim.QueryOptions{Language: "CQL"}); !errors.Is(err, cim.ErrInvalidQueryType) {
		t.Errorf("T-66: %v", err)
	}
	shallow, err := s.Enumerate(t.Context(), "Parent", cim.EnumerateOptions{Polymorphism: cim.Shallow})
	if err != nil {
		t.Fatal(err)
	}
	if list, err := cim.Collect(t.Context(), shallow); err != nil || classNames(list) != "Parent" {
		t.Errorf("T-49: %s, %v", classNames(list), err)
	}
	tops, err := s.EnumerateClasses(t.Context(), "", false)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range tops {
		if c.Superclass != "" {
			t.Errorf("T-48: %s has the superclass %s", c.Name, c.Superclass)
		}
	}
	if !slices.ContainsFunc(tops, func(c *cim.Class) bool { return c.Name == "Parent" }) {
		t.Error("T-48: Parent is missing")
	}
}

// T-47: PROTOTYPE gives the class and asks no provider.
func TestPrototype(t *testing.T) {
	m := cimom.New(cimom.Options{})
	defer m.Close()
	if err := m.Register(&faulty{}); err != nil {
		t.Fatal(err)
	}
	s := open(t, m, faultyNamespace)
	e, err := s.Query(t.Context(), "SELECT ID FROM T_Panics WHERE ID=3", cim.QueryOptions{Prototype: true})
	if err != nil {
		t.Fatal(err)
	}
	list, err := cim.Collect(t.Context(), e)
	if err != nil || len(list) != 1 || list[0].Class().Name != "T_Panics" || list[0].Len() != 1 {
		t.Errorf("the prototype: %v, %v", list, err)
	}
}

// T-60, T-81 and T-93.
func TestStoredValues(t *testing.T) {
	s := storing(t)
	put(t, s, cim.Class{Name: "Part", Properties: []cim.Property{{Name: "Weight", Type: cim.Uint64}}}, cim.PutClassOptions{})
	put(t, s, cim.Class{Name: "Box", Properties: []cim.Property{
		{Name: "K1", Type: cim.Sint32, Qualifiers: cim.Qualifiers{key()}}, {Name: "K2", Type: cim.String, Qualifiers: cim.Qualifiers{key()}},
		{Name: "Inside", Type: cim.Object, RefClass: "Part"}, {Name: "When", Type: cim.Datetime}, {Name: "Big", Type: cim.Uint64},
	}}, cim.PutClassOptions{})
	part := make1(t, s, "Part", map[string]cim.Value{"Weight": cim.U64(1 << 63)})
	create(t, s, "Box", map[string]cim.Value{
		"K1": cim.S32(1), "K2": cim.Str("a"), "Inside": cim.Obj(part), "When": cim.Time("19980401135809.000000+000"), "Big": cim.U64(1<<64 - 1),
	})
	if got := query(t, s, "SELECT * FROM Box WHERE Inside.MISSING = 1"); len(got) != 0 {
		t.Errorf("T-60: %d instances", len(got))
	}
	if got := query(t, s, "SELECT * FROM Box WHERE Inside.Weight = 9223372036854775808"); len(got) != 1 || got[0].Get("Inside").Object().Get("Weight").String() != "9223372036854775808" {
		t.Errorf("an embedded value: %v", got)
	}
	for _, text := range []string{`Box.K1=1,K2="a"`, `box.k2="A",k1=1`} {
		path, err := cim.ParsePath(text)
		if err != nil {
			t.Fatal(err)
		}
		got, err := s.Get(t.Context(), path, cim.GetOptions{})
		if err != nil {
			t.Errorf("T-81: %s: %v", text, err)
			continue
		}
		if b := got.Get("Big"); b.String() != "18446744073709551615" {
			t.Errorf("T-93: %s", b)
		}
	}
}

// Localized classes. See spec/wmi.md 2.8 and T-74.
func TestLocalized(t *testing.T) {
	m := cimom.New(cimom.Options{})
	defer m.Close()
	s := open(t, m, `root\cimv2`)
	create(t, s, "__NAMESPACE", map[string]cim.Value{"Name": cim.Str("ms_409")})
	create(t, s, "__NAMESPACE", map[string]cim.Value{"Name": cim.Str("ms_407")})
	c := keyed("A", "")
	put(t, s, c, cim.PutClassOptions{})
	put(t, s, keyed("B", "A"), cim.PutClassOptions{})
	for locale, text := range map[string]string{"ms_409": "A colour", "ms_407": "Eine Farbe"} {
		local := keyed("A", "")
		local.Properties[1].Qualifiers = cim.Qualifiers{{Name: "Description", Value: cim.Str(text), Flavor: cim.Amended | cim.ToSubClass}}
		ls := open(t, m, `root\cimv2\`+locale)
		put(t, ls, local, cim.PutClassOptions{})
		if _, err := ls.Create(t.Context(), make1(t, ls, "A", map[string]cim.Value{"Id": cim.Str("1")}), cim.OperationOptions{}); !errors.Is(err, cim.ErrInvalidOperation) {
			t.Errorf("an instance in a localized namespace: %v", err)
		}
	}
	read := func(class string, amended bool, locales ...string) string {
		t.Helper()
		ls, err := m.Open(t.Context(), administrator(), `root\cimv2`, cim.OpenOptions{Locales: locales})
		if err != nil {
			t.Fatal(err)
		}
		got, err := ls.GetClass(t.Context(), class, cim.GetOptions{Amended: amended})
		if err != nil {
			t.Fatal(err)
		}
		return got.Property("Note").Qualifiers.Text("Description")
	}
	for _, tt := range []struct{ got, want string }{
		{read("A", false, "MS_407"), ""}, {read("A", true, "MS_407"), "Eine Farbe"}, {read("A", true, "MS_411"), "A colour"},
		{read("B", true), "A colour"},
	} {
		if tt.got != tt.want {
			t.Errorf("the description is %q, want %q", tt.got, tt.want)
		}
	}
	// what was read amended is stored without
	ls, _ := m.Open(t.Context(), administrator(), `root\cimv2`, cim.OpenOptions{})
	got, err := ls.GetClass(t.Context(), "A", cim.GetOptions{Amended: true})
	if err != nil {
		t.Fatal(err)
	}
	w := ls.(cim.ClassWriter)
	if err := w.PutClass(t.Context(), got, cim.PutClassOptions{}); !errors.Is(err, cim.ErrAmendedObject) {
		t.Errorf("T-74: %v", err)
	}
	if err := w.PutClass(t.Context(), got, cim.PutClassOptions{Amended: true}); err != nil {
		t.Errorf("T-74: with the flag: %v", err)
	}
	if text := read("A", false); text != "" {
		t.Errorf("T-74: the description was stored: %q", text)
	}
}

// outside is a provider that classes name in their Provider qualifier.
type outside struct{ put, deleted int }

func (o *outside) Classes() []*cim.Class { return nil }

func (o *outside) List(_ context.Context, r *cimom.Request, yield func(*cim.Instance) error) error {
	i := cim.NewInstance(r.Class)
	return errors.Join(i.Set("Id", cim.Str("1")), yield(i))
}

func (o *outside) Create(context.Context, *cimom.Request, *cim.Instance) error { o.put++; return nil }

func (o *outside) Put(context.Context, *cimom.Request, *cim.Instance) error { o.put++; return nil }

func (o *outside) Delete(context.Context, *cimom.Request, cim.ObjectPath) error {
	o.deleted++
	return nil
}

func (o *outside) Invoke(context.Context, *cimom.Request, cim.ObjectPath, string, cim.Arguments) (cim.Result, error) {
	return cim.Result{ReturnValue: cim.U32(5)}, nil
}

func (o *outside) Property(_ context.Context, _ *cimom.Request, _ cim.ObjectPath, property, propertyContext string) (cim.Value, error) {
	return cim.Str(property + "/" + propertyContext), nil
}

// What a registration permits. See spec/wmi.md 6.1, T-103 and T-104.
func TestRegisteredProviders(t *testing.T) {
	o := &outside{}
	there := false
	m := cimom.New(cimom.Options{Providers: func(namespace, name string) cimom.Provider {
		if there && namespace == `root\cimv2` && name == "Mine" {
			return o
		}
		return nil
	}})
	defer m.Close()
	s := open(t, m, `root\cimv2`)
	dynamic := keyed("Dyn", "")
	dynamic.Qualifiers = cim.Qualifiers{{Name: "Dynamic", Value: cim.Bool(true)}, {Name: "Provider", Value: cim.Str("Mine")}}
	dynamic.Methods = []cim.Method{{Name: "Do", Return: cim.Uint32, Qualifiers: cim.Qualifiers{{Name: "Implemented", Value: cim.Bool(true)}}}}
	put(t, s, dynamic, cim.PutClassOptions{})
	list := func() error {
		e, err := s.Enumerate(t.Context(), "Dyn", cim.EnumerateOptions{})
		if err != nil {
			return err
		}
		_, err = cim.Collect(t.Context(), e)
		return err
	}
	expect := func(what string, err error, want cim.Status) {
		t.Helper()
		if cim.StatusOf(err) != want {
			t.Errorf("%s: %v, want %v", what, err, want)
		}
	}
	expect("nobody is registered", list(), cim.ErrProviderNotFound)
	create(t, s, "__Win32Provider", map[string]cim.Value{"Name": cim.Str("Mine")})
	expect("registered for nothing", list(), cim.ErrInvalidProviderRegistration)
	registration := make1(t, s, "__InstanceProviderRegistration", map[string]cim.Value{"provider": cim.Ref(`__Win32Provider.Name="Mine"`), "SupportsEnumeration": cim.Bool(true)})
	if _, err := s.Create(t.Context(), registration, cim.OperationOptions{}); err != nil {
		t.Fatal(err)
	}
	expect("not connected", list(), cim.ErrProviderLoadFailure)
	there = true
	expect("connected", list(), 0)
	instance := make1(t, s, "Dyn", map[string]cim.Value{"Id": cim.Str("1")})
	expect("T-103: Put without SupportsPut", s.Put(t.Context(), instance, cim.PutOptions{}), cim.ErrProviderNotCapable)
	expect("Delete without SupportsDelete", s.Delete(t.Context(), instancePath("Dyn", "1"), cim.OperationOptions{}), cim.ErrProviderNotCapable)
	_, err := s.Invoke(t.Context(), instancePath("Dyn", "1"), "Do", nil, cim.OperationOptions{})
	expect("a method without a registration", err, cim.ErrMethodNotImplemented)
	if o.put+o.deleted != 0 {
		t.Error("the provider was asked for what it is not registered for")
	}
	for _, name := range []string{"SupportsPut", "SupportsDelete", "SupportsGet"} {
		if err := registration.Set(name, cim.Bool(true)); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Put(t.Context(), registration, cim.PutOptions{}); err != nil {
		t.Fatal(err)
	}
	create(t, s, "__MethodProviderRegistration", map[string]cim.Value{"provider": cim.Ref(`\\.\root\cimv2:__Win32Provider.Name="mine"`)})
	expect("T-103: Put", s.Put(t.Context(), instance, cim.PutOptions{}), 0)
	expect("Delete", s.Delete(t.Context(), instancePath("Dyn", "1"), cim.OperationOptions{}), 0)
	if r, err := s.Invoke(t.Context(), instancePath("Dyn", "1"), "Do", nil, cim.OperationOptions{}); err != nil || r.ReturnValue.String() != "5" {
		t.Errorf("a method: %v, %v", r, err)
	}

	// a stored class with a dynamic property
	half := keyed("Half", "")
	half.Properties = append(half.Properties, cim.Property{Name: "Live", Type: cim.String, Qualifiers: cim.Qualifiers{
		{Name: "Dynamic", Value: cim.Bool(true)}, {Name: "Provider", Value: cim.Str("Mine")}, {Name: "PropertyContext", Value: cim.Str("here")}}})
	put(t, s, half, cim.PutClassOptions{})
	create(t, s, "Half", map[string]cim.Value{"Id": cim.Str("1")})
	_, err = s.Get(t.Context(), instancePath("Half", "1"), cim.GetOptions{})
	expect("a property without a registration", err, cim.ErrProviderNotCapable)
	create(t, s, "__PropertyProviderRegistration", map[string]cim.Value{"provider": cim.Ref(`__Win32Provider.Name="Mine"`), "SupportsGet": cim.Bool(true)})
	if got := query(t, s, "SELECT * FROM Half"); len(got) != 1 || got[0].Get("Live").String() != "Live/here" {
		t.Errorf("a dynamic property: %v", got)
	}

	provider, err := s.Get(t.Context(), cim.ObjectPath{Class: "__Win32Provider", Keys: []cim.Key{{Value: cim.Str("Mine")}}}, cim.GetOptions{})
	if err != nil || !provider.Get("HostingModel").IsNull() || cimom.HostingModel(provider) != "NetworkServiceHostOrSelfHost" {
		t.Errorf("T-104: %v, %v", provider, err)
	}
	if err := errors.Join(provider.Set("Enabled", cim.Bool(false)), s.Put(t.Context(), provider, cim.PutOptions{})); err != nil {
		t.Fatal(err)
	}
	expect("disabled", list(), cim.ErrProviderDisabled)
	// the page of the class says of both: not used
	for _, name := range []string{"InitializationTimeoutInterval", "OperationTimeoutInterval"} {
		err = errors.Join(err, provider.Set(name, cim.Time("00000000000000.000001:000")))
	}
	if err := errors.Join(err, provider.Set("Enabled", cim.Bool(true)), s.Put(t.Context(), provider, cim.PutOptions{})); err != nil {
		t.Fatal(err)
	}
	expect("enabled again, with timeouts of a microsecond", list(), 0)
	user := caller(false, security.SIDAuthenticatedUsers)
	if err := setSD(t, s, sdBytes(t, "O:BAG:BAD:(A;;0x6003f;;;BA)(A;;0x1f;;;AU)")); err != nil {
		t.Fatal(err)
	}
	_, err = s.With(user).Create(t.Context(), make1(t, s, "__Win32Provider", map[string]cim.Value{"Name": cim.Str("Theirs")}), cim.OperationOptions{})
	expect("a user registers a provider", err, cim.ErrAccessDenied)
}

// named is a built-in provider with a name.
type namedProvider struct {
	outside
	classes []*cim.Class
}

func (n *namedProvider) Classes() []*cim.Class { return n.classes }
func (n *namedProvider) ProviderName() string  { return "BuiltIn" }

func TestBuiltinRegistrations(t *testing.T) {
	m := cimom.New(cimom.Options{})
	defer m.Close()
	p := &namedProvider{classes: []*cim.Class{cim.NewClass("Here", nil).Dynamic().Key("Id", cim.String).Build(`root\cimv2`)}}
	if err := m.Register(p); err != nil {
		t.Fatal(err)
	}
	s := open(t, m, `root\cimv2`)
	if got := query(t, s, `SELECT * FROM __Win32Provider`); len(got) != 1 || got[0].Get("Name").String() != "BuiltIn" {
		t.Errorf("__Win32Provider: %v", got)
	}
	var kinds []string
	for _, i := range query(t, s, `SELECT * FROM __ProviderRegistration`) {
		kinds = append(kinds, strings.TrimSuffix(strings.TrimPrefix(i.Class().Name, "__"), "ProviderRegistration"))
		if i.Get("provider").String() != `__Win32Provider.Name="BuiltIn"` {
			t.Errorf("%s: %s", i.Class().Name, i.Get("provider"))
		}
	}
	slices.Sort(kinds)
	if got := strings.Join(kinds, ","); got != "Instance,Method,Property" {
		t.Errorf("registrations: %s", got)
	}
	if got := query(t, open(t, m, `root\wmi`), `SELECT * FROM __Win32Provider`); len(got) != 0 {
		t.Errorf("in a namespace without its classes: %v", got)
	}
	// a class of a user may name it
	mine := keyed("AlsoHere", "")
	mine.Qualifiers = cim.Qualifiers{{Name: "Dynamic", Value: cim.Bool(true)}, {Name: "Provider", Value: cim.Str("builtin")}}
	put(t, s, mine, cim.PutClassOptions{})
	if got := query(t, s, `SELECT * FROM AlsoHere`); len(got) != 1 {
		t.Errorf("instances of a stored class of a built-in provider: %v", got)
	}
}
