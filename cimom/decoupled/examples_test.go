package decoupled

import (
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/cimom"
	"github.com/casementhq/casement/security"
)

// note is the class of examples/notes.mof.
var note = cim.NewClass("Example_Note", nil).Dynamic().Key("Name", cim.String).
	Property("Text", cim.String, cim.Writable()).Property("Size", cim.Uint64).Property("LastModified", cim.Datetime).
	Method("CountWords", cim.Uint32, cim.Out("Words", cim.Uint32)).Build(`root\cimv2`)

// TestExampleProviders: the example providers, each a process of its own in its
// language, serve a folder of notes; what they answer is what the folder has.
func TestExampleProviders(t *testing.T) {
	built := filepath.Join(t.TempDir(), "notes-go")
	if out, err := exec.Command("go", "build", "-o", built, "../../examples/notes-go").CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	for name, argv := range map[string][]string{"go": {built}, "python": {"python3", "../../examples/notes-python/notes.py"}} {
		t.Run(name, func(t *testing.T) {
			if _, err := exec.LookPath(argv[0]); err != nil {
				t.Skip(err)
			}
			g, dial := listen(t)
			c, err := dial(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			socket := c.(interface{ RemoteAddr() net.Addr }).RemoteAddr().String()
			c.Close()
			folder := t.TempDir()
			write := func(name, text string) {
				if err := os.WriteFile(filepath.Join(folder, name+".txt"), []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			write("todo", "buy milk and \"bread\"\n")
			write("Größe", "ünïcödé 漢字 😀")
			run(t, append(argv, socket, folder))
			for begin := time.Now(); len(g.Connected()) == 0; time.Sleep(10 * time.Millisecond) {
				if time.Since(begin) > 20*time.Second {
					t.Fatal("the provider does not connect")
				}
			}
			if c := g.Connected(); len(c) != 1 || c[0].Namespace != `root\cimv2` || c[0].Provider != "ExampleNotes" || c[0].Count < 1 {
				t.Errorf("connected: %+v", c)
			}
			p := g.Provider(`root\cimv2`, "ExampleNotes").(*remote)
			p.classes = []*cim.Class{note}
			useNotes(t, p, folder)
		})
	}
}

// run runs a program until the test ends.
func run(t *testing.T, argv []string) {
	t.Helper()
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
}

// useNotes does everything that one can do with a note.
func useNotes(t *testing.T, p cimom.Provider, folder string) {
	m := cimom.New(cimom.Options{})
	defer m.Close()
	if err := m.Register(p); err != nil {
		t.Fatal(err)
	}
	groups := []security.GroupEntry{{SID: security.SIDAdministrators}}
	s, err := m.Open(t.Context(), cim.Caller{Token: &security.Token{User: security.SIDLocalSystem, Groups: groups}}, `root\cimv2`, cim.OpenOptions{})
	if err != nil {
		t.Fatal(err)
	}
	e, err := s.Query(t.Context(), "SELECT * FROM Example_Note WHERE Size > 10", cim.QueryOptions{})
	if err != nil {
		t.Fatal(err)
	}
	list, err := cim.Collect(t.Context(), e)
	var texts []string
	for _, i := range list {
		text, _ := i.Get("Text").Str()
		texts = append(texts, text)
	}
	slices.Sort(texts)
	if err != nil || !slices.Equal(texts, []string{"buy milk and \"bread\"\n", "ünïcödé 漢字 😀"}) {
		t.Errorf("texts %q, error %v", texts, err)
	}
	path := func(name string) cim.ObjectPath {
		return cim.ObjectPath{Class: note.Name, Keys: []cim.Key{{Name: "Name", Value: cim.Str(name)}}}
	}
	made := cim.NewInstance(note)
	if err := errors.Join(made.Set("Name", cim.Str("new")), made.Set("Text", cim.Str("one two three"))); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Create(t.Context(), made, cim.OperationOptions{}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Create(t.Context(), made, cim.OperationOptions{}); !errors.Is(err, cim.ErrAlreadyExists) {
		t.Errorf("made twice: %v", err)
	}
	result, err := s.Invoke(t.Context(), path("new"), "CountWords", nil, cim.OperationOptions{})
	if n, _ := result.Out.Get("Words").Uint(); err != nil || n != 3 {
		t.Errorf("%v words, error %v", result, err)
	}
	if err := made.Set("Text", cim.Str("changed")); err != nil {
		t.Fatal(err)
	}
	if err := s.Put(t.Context(), made, cim.PutOptions{}); err != nil {
		t.Error(err)
	}
	if text, err := os.ReadFile(filepath.Join(folder, "new.txt")); string(text) != "changed" || err != nil {
		t.Errorf("the file says %q, error %v", text, err)
	}
	i, err := s.Get(t.Context(), path("new"), cim.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(filepath.Join(folder, "new.txt"))
	if err != nil {
		t.Fatal(err)
	}
	when, _ := i.Get("LastModified").DateTime()
	at, _ := when.Time()
	if size, _ := i.Get("Size").Uint(); size != 7 || at.Unix() != info.ModTime().Unix() {
		t.Errorf("size %d, modified %s; want 7, %s", size, when, info.ModTime())
	}
	if err := s.Delete(t.Context(), path("new"), cim.OperationOptions{}); err != nil {
		t.Error(err)
	}
	if _, err := s.Get(t.Context(), path("new"), cim.GetOptions{}); !errors.Is(err, cim.ErrNotFound) || !strings.Contains(err.Error(), "there is no such note") {
		t.Errorf("after Delete: %v", err)
	}
	if _, err := s.Get(t.Context(), path("../todo"), cim.GetOptions{}); err == nil || strings.Contains(err.Error(), "milk") {
		t.Errorf("a path out of the folder gives %v", err)
	}
}
