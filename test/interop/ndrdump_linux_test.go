package interop

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/casementhq/casement/auth"
	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/dcerpc"
	"github.com/casementhq/casement/dcom"
	"github.com/casementhq/casement/wmi"
	"github.com/casementhq/casement/wmi/wmiclient"
)

// told are the calls of our client that ndrdump describes as [MS-DCOM] and [MS-WMI] do. It has another form than Windows sends for BSTRs, so that of
// those only the answers are shown to it, for RemQueryInterface, and for ServerAlive2 and RemoteCreateInstance: dcom and iwbem test what it can of
// them. It cannot write references back: they are not validated.
var told = []described{
	{dcerpc.SyntaxID{UUID: dcom.IIDRemUnknown2}, 4, "IRemUnknown", "RemAddRef", true, true, true, false},
	{dcerpc.SyntaxID{UUID: dcom.IIDRemUnknown2}, 5, "IRemUnknown", "RemRelease", true, true, true, true},
	{dcerpc.SyntaxID{UUID: wmi.IIDLevel1Login}, 3, "IWbemLevel1Login", "EstablishPosition", true, true, true, false},
	{dcerpc.SyntaxID{UUID: wmi.IIDLevel1Login}, 6, "IWbemLevel1Login", "NTLMLogin", true, true, false, true},
	{dcerpc.SyntaxID{UUID: wmi.IIDServices}, 6, "IWbemServices", "GetObject", false, true, true, true},
	{dcerpc.SyntaxID{UUID: wmi.IIDServices}, 18, "IWbemServices", "CreateInstanceEnum", false, true, false, true},
	{dcerpc.SyntaxID{UUID: wmi.IIDServices}, 20, "IWbemServices", "ExecQuery", false, true, false, true},
	{dcerpc.SyntaxID{UUID: wmi.IIDServices}, 24, "IWbemServices", "ExecMethod", false, true, true, true},
	{dcerpc.SyntaxID{UUID: wmi.IIDEnumClassObject}, 4, "IEnumWbemClassObject", "IEnumWbemClassObject_Next", true, true, true, false},
	{dcerpc.SyntaxID{UUID: wmi.IIDFetchSmartEnum}, 3, "IWbemFetchSmartEnum", "Fetch", false, true, false, true},
	{dcerpc.SyntaxID{UUID: wmi.IIDWCOSmartEnum}, 3, "IWbemWCOSmartEnum", "IWbemWCOSmartEnum_Next", false, true, true, true},
}

// described is a method under Samba's name for it: which stubs ndrdump reads, whether it writes them back, and whether the conversation has it.
type described struct {
	id                      dcerpc.SyntaxID
	opnum                   uint16
	iface, function         string
	in, out, back, required bool
}

// ndrdump of Samba reads what our client and the service said to each other.
func TestNdrdumpReadsAConversation(t *testing.T) {
	tool, err := exec.LookPath("ndrdump")
	if err != nil {
		absent(t, "ndrdump of samba-testsuite")
	}
	calls := overheard(t, dcomService(t))
	seen := make([]int, len(told))
	for _, c := range calls {
		n := slices.IndexFunc(told, func(k described) bool { return k.id == c.id && k.opnum == c.opnum })
		if n < 0 {
			continue
		}
		k := told[n]
		if seen[n]++; seen[n] > 20 {
			continue
		}
		dir := t.TempDir()
		files := map[string]string{"in": filepath.Join(dir, "in"), "out": filepath.Join(dir, "out")}
		for direction, stub := range map[string][]byte{"in": c.in, "out": c.out} {
			if err := os.WriteFile(files[direction], stub, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		for direction, wanted := range map[string]bool{"in": k.in, "out": k.out} {
			if !wanted {
				continue
			}
			var args []string
			if k.back {
				args = append(args, "--validate")
			}
			if direction == "out" && k.in {
				args = append(args, "-c", files["in"])
			}
			out, err := exec.CommandContext(t.Context(), tool, append(args, k.iface, k.function, direction, files[direction])...).CombinedOutput()
			if err != nil || !strings.Contains(string(out), "dump OK") || strings.Contains(string(out), "unread") || strings.Contains(string(out), "WARNING") {
				t.Errorf("%s::%s %s: %v\n%x\n%.2000s", k.iface, k.function, direction, err, []byte(map[string][]byte{"in": c.in, "out": c.out}[direction]), out)
			}
		}
	}
	for n, k := range told {
		t.Logf("%s::%s: %d", k.iface, k.function, seen[n])
		if k.required && seen[n] == 0 {
			t.Errorf("%s::%s was not called", k.iface, k.function)
		}
	}
}

// said is one call.
type said struct {
	id      dcerpc.SyntaxID
	opnum   uint16
	in, out []byte
}

// overheard lets our client use the service and gives the calls, one after the other.
func overheard(t *testing.T, s *service) (calls []said) {
	t.Helper()
	var mu sync.Mutex
	trace := &wmiclient.Trace{RPC: &dcerpc.Trace{
		Request: func(id dcerpc.SyntaxID, opnum uint16, stub []byte) {
			mu.Lock()
			defer mu.Unlock()
			calls = append(calls, said{id: id, opnum: opnum, in: slices.Clone(stub)})
		},
		Response: func(id dcerpc.SyntaxID, opnum uint16, stub []byte, err error) {
			mu.Lock()
			defer mu.Unlock()
			for i := len(calls) - 1; i >= 0; i-- {
				if c := &calls[i]; c.id == id && c.opnum == opnum && c.out == nil {
					c.out = slices.Clone(stub)
					return
				}
			}
		},
	}}
	client, err := wmiclient.New("127.0.0.1", wmiclient.Options{
		Credentials: auth.Credentials{Username: s.user, Password: s.password}, DialContext: s.dial, Trace: trace,
	})
	if err != nil {
		t.Fatal(err)
	}
	talk := func() error {
		session, err := client.Open(t.Context(), cim.Caller{}, `root\cimv2`, cim.OpenOptions{})
		if err != nil {
			return err
		}
		defer session.Close()
		path, err := cim.ParsePath(fmt.Sprintf(`Win32_Process.Handle="%d"`, os.Getpid()))
		if err != nil {
			return err
		}
		if _, err := session.Get(t.Context(), path, cim.GetOptions{}); err != nil {
			return err
		}
		if _, err := session.Invoke(t.Context(), path, "GetOwner", nil, cim.OperationOptions{}); err != nil {
			return err
		}
		for _, open := range []func() (cim.Enumerator, error){
			func() (cim.Enumerator, error) {
				return session.Query(t.Context(), "SELECT * FROM Win32_OperatingSystem", cim.QueryOptions{})
			},
			func() (cim.Enumerator, error) {
				return session.Enumerate(t.Context(), "Win32_LogicalDisk", cim.EnumerateOptions{})
			},
		} {
			found, err := open()
			if err != nil {
				return err
			}
			for err == nil {
				_, err = found.Next(t.Context(), 0)
			}
			if !errors.Is(err, io.EOF) {
				return err
			}
			if err := found.Close(); err != nil {
				return err
			}
		}
		return nil
	}
	if err := errors.Join(talk(), client.Close()); err != nil {
		t.Fatal(err)
	}
	mu.Lock()
	defer mu.Unlock()
	return calls
}

// dial connects within the network of the service.
func (s *service) dial(ctx context.Context, network, address string) (conn net.Conn, err error) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread() // for ever: the thread ends with the goroutine
		var f *os.File
		if f, err = os.Open(fmt.Sprintf("/proc/%d/ns/net", s.cmd.Process.Pid)); err != nil {
			return
		}
		defer f.Close()
		if err = unix.Setns(int(f.Fd()), unix.CLONE_NEWNET); err == nil {
			conn, err = new(net.Dialer).DialContext(ctx, network, address)
		}
	}()
	<-done
	return conn, err
}
