package cimom_test

import (
	"context"
	"errors"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/cimom"
	"github.com/casementhq/casement/cimom/repository"
	"github.com/casementhq/casement/security"
)

// user is somebody who has signed in and administers nothing.
func user() cim.Caller { return caller(false, security.SIDAuthenticatedUsers) }

func dynamic(name, provider string) cim.Class {
	c := keyed(name, "")
	c.Qualifiers = cim.Qualifiers{{Name: "Dynamic", Value: cim.Bool(true)}, {Name: "Provider", Value: cim.Str(provider)}}
	return c
}

// A provider of one namespace is not reached from another one: who may write
// classes there has no rights here.
func TestProvidersOfOtherNamespaces(t *testing.T) {
	m := cimom.New(cimom.Options{})
	defer m.Close()
	own := dynamic("Own", "BuiltIn")
	own.Namespace = `root\cimv2`
	whole, err := cim.Derive(nil, &own)
	if err != nil {
		t.Fatal(err)
	}
	if err := m.Register(&namedProvider{classes: []*cim.Class{whole}}); err != nil {
		t.Fatal(err)
	}
	list := func(namespace string) error {
		s := open(t, m, namespace)
		put(t, s, dynamic("Borrowed", "BuiltIn"), cim.PutClassOptions{})
		e, err := s.Enumerate(t.Context(), "Borrowed", cim.EnumerateOptions{})
		if err == nil {
			_, err = cim.Collect(t.Context(), e)
		}
		return err
	}
	if err := list(`root\cimv2`); err != nil {
		t.Errorf("a class of the provider's namespace: %v", err)
	}
	if err := list(`root\default`); !errors.Is(err, cim.ErrProviderNotFound) {
		t.Errorf("a class of another namespace: %v", err)
	}
}

// Only administrators register providers, by a class of their own neither.
func TestRegistrationsOfDerivedClasses(t *testing.T) {
	m := cimom.New(cimom.Options{})
	defer m.Close()
	s := open(t, m, `root\cimv2`)
	put(t, s, cim.Class{Name: "MyProvider", Superclass: "__Win32Provider"}, cim.PutClassOptions{})
	put(t, s, cim.Class{Name: "MyRegistration", Superclass: "__MethodProviderRegistration"}, cim.PutClassOptions{})
	if err := setSD(t, s, sdBytes(t, "O:BAG:BAD:(A;;0x6003f;;;BA)(A;;0x1f;;;AU)")); err != nil {
		t.Fatal(err)
	}
	mine := s.With(user())
	for class, values := range map[string]map[string]cim.Value{
		"MyProvider":     {"Name": cim.Str("Theirs")},
		"MyRegistration": {"provider": cim.Ref(`__Win32Provider.Name="Theirs"`)},
	} {
		if _, err := mine.Create(t.Context(), make1(t, s, class, values), cim.OperationOptions{}); !errors.Is(err, cim.ErrAccessDenied) {
			t.Errorf("a user makes an instance of %s: %v", class, err)
		}
		path := create(t, s, class, values)
		if err := mine.Delete(t.Context(), path, cim.OperationOptions{}); !errors.Is(err, cim.ErrAccessDenied) {
			t.Errorf("a user deletes an instance of %s: %v", class, err)
		}
	}
}

// The texts of a locale are those of a localized namespace that the caller may
// read.
func TestLocalizedNeedsRights(t *testing.T) {
	m := cimom.New(cimom.Options{})
	defer m.Close()
	s := open(t, m, `root\cimv2`)
	put(t, s, keyed("A", ""), cim.PutClassOptions{})
	create(t, s, "__NAMESPACE", map[string]cim.Value{"Name": cim.Str("ms_407")})
	ls := open(t, m, `root\cimv2\ms_407`)
	local := keyed("A", "")
	local.Properties[1].Qualifiers = cim.Qualifiers{{Name: "Description", Value: cim.Str("secret"), Flavor: cim.Amended | cim.ToSubClass}}
	put(t, ls, local, cim.PutClassOptions{})
	if err := setSD(t, ls, sdBytes(t, "O:BAG:BAD:(A;;0x6003f;;;BA)(D;;0x1;;;AU)")); err != nil {
		t.Fatal(err)
	}
	theirs, err := m.Open(t.Context(), user(), `root\cimv2`, cim.OpenOptions{Locales: []string{"ms_407"}})
	if err != nil {
		t.Fatal(err)
	}
	got, err := theirs.GetClass(t.Context(), "A", cim.GetOptions{Amended: true})
	if err != nil {
		t.Fatal(err)
	}
	if text := got.Property("Note").Qualifiers.Text("Description"); text != "" {
		t.Errorf("who may not read the texts reads %q", text)
	}
}

// What a repository brings in does not take the place of the system's classes,
// and a descriptor that would let everybody in locks the namespace.
func TestWhatARepositoryBringsIn(t *testing.T) {
	repo := repository.Memory()
	defer repo.Close()
	open0 := &security.SecurityDescriptor{Owner: security.SIDAdministrators, Group: security.SIDAdministrators}
	b, err := open0.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	err = repo.Update(t.Context(), func(tx *repository.Tx) error {
		fake := &cim.Class{Name: "__EventFilter", Namespace: `root\cimv2`}
		return errors.Join(tx.PutNamespace(repository.Namespace{Name: `root\cimv2`, Security: b}),
			tx.PutClass(fake.Seal()), tx.HideClass(`root\cimv2`, "__NAMESPACE"))
	})
	if err != nil {
		t.Fatal(err)
	}
	m := cimom.New(cimom.Options{Repository: repo})
	defer m.Close()
	s := open(t, m, `root\cimv2`)
	if c, err := s.GetClass(t.Context(), "__EventFilter", cim.GetOptions{}); err != nil || c.Property("CreatorSID") == nil {
		t.Errorf("__EventFilter is %v, %v", c, err)
	}
	create(t, s, "__NAMESPACE", map[string]cim.Value{"Name": cim.Str("child")})
	if _, err := m.Open(t.Context(), user(), `root\cimv2`, cim.OpenOptions{}); !errors.Is(err, cim.ErrAccessDenied) {
		t.Errorf("a namespace without a DACL lets a user in: %v", err)
	}
	if _, err := s.Invoke(t.Context(), systemSecurity, "GetSecurityDescriptor", nil, cim.OperationOptions{}); err != nil {
		t.Errorf("GetSecurityDescriptor: %v", err)
	}
}

// The class by which the repository is reset cannot be lost.
func TestRepositoryClassStays(t *testing.T) {
	m := cimom.New(cimom.Options{})
	defer m.Close()
	s := open(t, m, "root")
	w := s.(cim.ClassWriter)
	if err := w.DeleteClass(t.Context(), "Casement_Repository", cim.OperationOptions{}); !errors.Is(err, cim.ErrInvalidOperation) {
		t.Errorf("it is deleted: %v", err)
	}
	other := cim.Class{Name: "Casement_Repository"}
	if err := w.PutClass(t.Context(), other.Seal(), cim.PutClassOptions{Conflict: cim.ForceConflict}); !errors.Is(err, cim.ErrInvalidOperation) {
		t.Errorf("it is replaced: %v", err)
	}
	if _, err := call1(t, s, "Reset"); err != nil {
		t.Errorf("Reset: %v", err)
	}
}

// checking is a provider of consumers whose check waits.
type checking struct {
	*alarms
	waits chan struct{} // receives when a check is under way; nil: none waits
	go_   chan struct{} // closed to let them go on
	once  sync.Once
}

func (c *checking) CheckConsumer(*cim.Instance) error {
	if c.waits != nil {
		c.once.Do(func() {
			c.waits <- struct{}{}
			<-c.go_
		})
	}
	return nil
}

// A consumer can be changed while classes are registered: neither waits for the
// other.
func TestConsumerWhileClassesCome(t *testing.T) {
	m := cimom.New(cimom.Options{})
	p := &checking{alarms: newAlarms(t, alarmClasses), go_: make(chan struct{})}
	if err := m.Register(p); err != nil {
		t.Fatal(err)
	}
	s := open(t, m, `root\subscription`)
	pager := make1(t, s, "CT_Pager", map[string]cim.Value{"Name": cim.Str("one")})
	if _, err := s.Create(t.Context(), pager, cim.OperationOptions{}); err != nil {
		t.Fatal(err)
	}
	p.waits = make(chan struct{})
	done := make(chan error, 3)
	change := func() { done <- s.Put(t.Context(), pager.Clone(), cim.PutOptions{}) }
	go change()
	<-p.waits
	go change() // has its namespace, waits for its turn to write
	time.Sleep(50 * time.Millisecond)
	go func() {
		none := cim.Class{Name: "CT_New", Namespace: `root\subscription`}
		done <- m.Register(&namedProvider{classes: []*cim.Class{none.Seal()}})
	}()
	time.Sleep(50 * time.Millisecond)
	close(p.go_)
	for range 3 {
		select {
		case err := <-done:
			if err != nil {
				t.Error(err)
			}
		case <-time.After(10 * time.Second):
			t.Fatal("two wait for each other")
		}
	}
	m.Close()
}

// A permanent subscription to the events of a namespace does not outlive its
// creator's rights there, though the namespace is made anew.
func TestSubscriptionToANamespaceMadeAnew(t *testing.T) {
	alice := user()
	alice.Token.User = security.SIDLocalService
	m := cimom.New(cimom.Options{CreatorCaller: func(security.SID) (cim.Caller, error) { return alice, nil }})
	defer m.Close()
	a := newAlarms(t, alarmClasses)
	if err := m.Register(a); err != nil {
		t.Fatal(err)
	}
	root, sub := open(t, m, "root"), open(t, m, `root\subscription`)
	if err := setSD(t, sub, sdBytes(t, "O:BAG:BAD:(A;CI;0x6003f;;;BA)(A;;0xb;;;AU)")); err != nil {
		t.Fatal(err)
	}
	namespace := map[string]cim.Value{"Name": cim.Str("Shop")}
	create(t, root, "__NAMESPACE", namespace)
	mine := sub.With(alice)
	create(t, mine, "__EventFilter", map[string]cim.Value{"Name": cim.Str("f"), "QueryLanguage": cim.Str("WQL"),
		"Query": cim.Str(`SELECT * FROM __InstanceCreationEvent`), "EventNamespace": cim.Str(`root\shop`)})
	create(t, mine, "CT_Pager", map[string]cim.Value{"Name": cim.Str("p")})
	create(t, mine, "__FilterToConsumerBinding", map[string]cim.Value{
		"Filter": cim.Ref(`__EventFilter.Name="f"`), "Consumer": cim.Ref(`CT_Pager.Name="p"`)})
	n := 0
	fires := func() bool {
		shop := open(t, m, `root\shop`)
		defer shop.Close()
		if n++; n == 1 || n == 1000 {
			put(t, shop, keyed("A", ""), cim.PutClassOptions{})
		}
		create(t, shop, "A", map[string]cim.Value{"Id": cim.Str(time.Now().String())})
		time.Sleep(soon)
		a.mu.Lock()
		defer a.mu.Unlock()
		return len(a.got) > 0
	}
	eventually(t, "the subscription fires", fires)
	if err := root.Delete(t.Context(), cim.ObjectPath{Class: "__NAMESPACE", Keys: []cim.Key{{Value: cim.Str("Shop")}}}, cim.OperationOptions{}); err != nil {
		t.Fatal(err)
	}
	compile(t, root, `[NamespaceSecuritySDDL("O:BAG:BAD:(D;;0x1;;;LS)(A;;0x6003F;;;BA)")] instance of __NAMESPACE { Name = "Shop"; };`,
		text("Namespace", "root"))
	time.Sleep(soon)
	a.mu.Lock()
	a.got = nil
	a.mu.Unlock()
	n = 999
	for range 3 {
		if fires() {
			t.Fatal("it fires for who may not read there any more")
		}
		n = 1000
	}
}

// A Restore that its caller gives up half-way ends all the same: the namespaces
// are those of the backup or those from before, and none is lost.
func TestRestoreThatIsGivenUp(t *testing.T) {
	dir := t.TempDir()
	repo, err := repository.Open(filepath.Join(dir, "repository"), repository.Options{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	defer repo.Close()
	m := cimom.New(cimom.Options{Repository: repo, Backups: filepath.Join(dir, "backups")})
	defer m.Close()
	root := open(t, m, "root")
	create(t, root, "__NAMESPACE", map[string]cim.Value{"Name": cim.Str("Extra")})
	put(t, open(t, m, `root\extra`), keyed("A", ""), cim.PutClassOptions{})
	if _, err := call1(t, root, "Backup", text("Name", "b")); err != nil {
		t.Fatal(err)
	}
	for n := range 60 {
		ctx, cancel := context.WithTimeout(t.Context(), time.Duration(n)*500*time.Microsecond)
		_, _ = root.Invoke(ctx, cim.ObjectPath{Class: "Casement_Repository"}, "Restore",
			cim.Arguments{text("Name", "b"), {Name: "Force", Value: cim.Bool(true)}}, cim.OperationOptions{})
		cancel()
		if _, err := call1(t, root, "Verify"); err != nil { // waits its turn behind the one that was given up
			t.Fatal(err)
		}
		var failure error
		for range 100 {
			var s cim.Session
			if s, failure = m.Open(t.Context(), user(), `root\extra`, cim.OpenOptions{}); failure == nil {
				_, failure = s.GetClass(t.Context(), "A", cim.GetOptions{})
				s.Close()
			}
			if failure == nil {
				break // where the one that was given up began only now, it has ended this session
			}
			time.Sleep(10 * time.Millisecond)
		}
		if failure != nil {
			t.Fatalf("after %v: %v", time.Duration(n)*500*time.Microsecond, failure)
		}
	}
}
