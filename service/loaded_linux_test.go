package service

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/user"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/cimom/decoupled"
)

// loadedIn are the instances of Msft_Providers outside of this service, each as
// provider, user, process and how often it was listed, queried, and asked for
// one instance.
func loadedIn(t *testing.T, s cim.Session, where string) (list []string) {
	t.Helper()
	e, err := s.Query(t.Context(), `SELECT * FROM Msft_Providers WHERE `+where, cim.QueryOptions{})
	if err != nil {
		t.Fatal(err)
	}
	found, err := cim.Collect(t.Context(), e)
	if err != nil {
		t.Fatal(err)
	}
	for _, i := range found {
		var values []string
		for _, name := range []string{"Namespace", "provider", "HostingSpecification", "User", "HostProcessIdentifier",
			"ProviderOperation_CreateInstanceEnumAsync", "ProviderOperation_ExecQueryAsync", "ProviderOperation_GetObjectAsync"} {
			values = append(values, i.Get(name).String())
		}
		list = append(list, strings.Join(values, " "))
	}
	slices.Sort(list)
	return list
}

// nextEvent is the class and the user of the next event.
func nextEvent(t *testing.T, e cim.Enumerator) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	list, err := e.Next(ctx, 1)
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimPrefix(list[0].Class().Name, "Msft_WmiProvider_") + " " + list[0].Get("provider").String() + " " + list[0].Get("User").String()
}

// TestDecoupledProviderIsLoaded: a process that is connected is an instance of
// Msft_Providers, once whatever its connections, with what the system says of
// it; its coming and going are events.
func TestDecoupledProviderIsLoaded(t *testing.T) {
	svc, socket := registering(t)
	compile(t, svc, `
		instance of __Win32Provider as $p { Name = "Far"; HostingModel = "Decoupled:Com"; };
		instance of __InstanceProviderRegistration { provider = $p; SupportsEnumeration = TRUE; SupportsGet = TRUE; };
		[Dynamic, Provider("Far")] class Acme_Far { [Key] string Id; uint32 Size; };`)
	s, err := svc.objects.Open(t.Context(), system, `root\cimv2`, cim.OpenOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	const far = `provider = 'Far'`
	if list := loadedIn(t, s, far); len(list) != 0 {
		t.Errorf("before it connects: %v", list)
	}
	events, err := s.(cim.Subscriber).Subscribe(t.Context(), `SELECT * FROM Msft_WmiProvider_OperationEvent WHERE `+far, cim.SubscribeOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer events.Close()
	me, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	var connections []net.Conn
	for range 2 {
		c, err := net.Dial("unix", socket)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		connections = append(connections, c)
		go decoupled.ServeStream(t.Context(), c, decoupled.ServeOptions{Name: "Far", Namespace: `root\cimv2`, Provider: noClasses{}}) //nolint:errcheck // it ends with its connection
	}
	if got, want := nextEvent(t, events), "LoadOperationEvent Far "+me.Username; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	for begin := time.Now(); ; time.Sleep(time.Millisecond) {
		if c := svc.objects.registrar.Connected(); len(c) == 1 && c[0].Count == 2 {
			break
		}
		if time.Since(begin) > 10*time.Second {
			t.Fatal("it does not connect")
		}
	}
	for _, query := range []string{"SELECT * FROM Acme_Far", "SELECT * FROM Acme_Far WHERE Size = 1"} {
		e, err := s.Query(t.Context(), query, cim.QueryOptions{})
		if err == nil {
			_, _ = cim.Collect(t.Context(), e) // the provider has nothing
		}
	}
	want := []string{fmt.Sprintf(`root\cimv2 Far 3 %s %d 1 1 0`, me.Username, os.Getpid())}
	if list := loadedIn(t, s, far); !slices.Equal(list, want) {
		t.Errorf("loaded: %q, want %q", list, want)
	}
	for _, c := range connections {
		c.Close()
	}
	for got := ""; got != "UnLoadOperationEvent Far "+me.Username; {
		got = nextEvent(t, events)
		if strings.HasPrefix(got, "LoadOp") {
			t.Errorf("%s for the second connection", got)
		}
	}
	if list := loadedIn(t, s, far); len(list) != 0 {
		t.Errorf("after it went: %v", list)
	}
	if list := loadedIn(t, s, `provider = 'CasementHost' AND Namespace = 'root\\cimv2' AND User = '' AND HostProcessIdentifier = `+strconv.Itoa(os.Getpid())); len(list) != 1 {
		t.Errorf("the built-in provider: %v", list)
	}
}

// TestProviderHostIsLoaded: each host of a user is an instance too.
func TestProviderHostIsLoaded(t *testing.T) {
	m := newMachine(t)
	file := m.put(t, "a", "daemon", 0o600)
	ann := m.session(t, "ann", `root\cimv2`)
	admin := m.session(t, "Administrator", `root\cimv2`)
	const hosts = `provider = 'CasementFiles' AND User <> ''`
	if list := loadedIn(t, admin, hosts); len(list) != 0 {
		t.Errorf("before anybody asks: %v", list)
	}
	if list, err := names(t.Context(), ann, `SELECT * FROM CIM_DataFile WHERE Name = '`+file+`'`); err != nil || len(list) != 1 {
		t.Fatalf("%v, %v", list, err)
	}
	var want []string
	for pid := range hostProcesses(t) {
		want = append(want, fmt.Sprintf(`root\cimv2 CasementFiles 5 daemon %d 0 1 0`, pid))
	}
	if list := loadedIn(t, admin, hosts); len(want) != 1 || !slices.Equal(list, want) {
		t.Errorf("loaded: %q, want %q", list, want)
	}
}
