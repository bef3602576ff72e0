package bus

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m)
}

func folder(t testing.TB) string {
	t.Helper()
	return filepath.Join(t.TempDir(), "pool")
}

func open(t testing.TB, dir string) *Bus {
	t.Helper()
	b, err := Open(t.Context(), Options{Dir: dir, Name: "test", Log: slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelDebug}))})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Close)
	return b
}

func bucket(t testing.TB, b *Bus, name string) *Bucket {
	t.Helper()
	k, err := b.Bucket(t.Context(), BucketOptions{Name: name})
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func TestBucket(t *testing.T) {
	ctx, b := t.Context(), open(t, folder(t))
	k := bucket(t, b, "servers")
	if _, err := k.Get(ctx, "a"); !errors.Is(err, ErrNotFound) {
		t.Errorf("a key that never was: %v", err)
	}
	one, err := k.Create(ctx, "a", []byte("1"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := k.Create(ctx, "a", []byte("2")); !errors.Is(err, ErrConflict) {
		t.Errorf("made twice: %v", err)
	}
	two, err := k.Update(ctx, "a", []byte("2"), one)
	if err != nil || two <= one {
		t.Errorf("revision %d after %d: %v", two, one, err)
	}
	if _, err := k.Update(ctx, "a", []byte("3"), one); !errors.Is(err, ErrConflict) {
		t.Errorf("an older revision: %v", err)
	}
	if _, err := k.Put(ctx, "b.c", []byte("x")); err != nil {
		t.Fatal(err)
	}
	if e, err := k.Get(ctx, "a"); err != nil || string(e.Value) != "2" || e.Revision != two || e.Written.IsZero() {
		t.Errorf("%+v, %v", e, err)
	}
	if l, err := k.List(ctx, ""); err != nil || len(l) != 2 {
		t.Errorf("%v, %v", l, err)
	}
	if l, err := k.List(ctx, "b.*"); err != nil || len(l) != 1 || l[0].Key != "b.c" {
		t.Errorf("%v, %v", l, err)
	}
	if err := errors.Join(k.Delete(ctx, "a"), k.Delete(ctx, "never")); err != nil {
		t.Error(err)
	}
	if _, err := k.Get(ctx, "a"); !errors.Is(err, ErrNotFound) {
		t.Errorf("a deleted key: %v", err)
	}
	if l, err := k.List(ctx, ""); err != nil || len(l) != 1 {
		t.Errorf("%v, %v", l, err)
	}
	if _, err := k.Create(ctx, "a", []byte("again")); err != nil {
		t.Errorf("made again: %v", err)
	}
	if _, err := k.Put(ctx, "a", make([]byte, MaxPayload+1)); err == nil {
		t.Error("a value beyond the bound was taken")
	}
}

func TestWatch(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	b := open(t, folder(t))
	k := bucket(t, b, "state")
	put := func(key, value string) {
		if _, err := k.Put(ctx, key, []byte(value)); err != nil {
			t.Fatal(err)
		}
	}
	put("a", "1")
	changes, err := k.Watch(ctx, "")
	if err != nil {
		t.Fatal(err)
	}
	put("b", "2")
	if err := k.Delete(ctx, "a"); err != nil {
		t.Fatal(err)
	}
	var saw []string
	for e := range changes {
		saw = append(saw, fmt.Sprintf("%s=%s %v", e.Key, e.Value, e.Deleted))
		if e.Deleted {
			break
		}
	}
	if want := []string{"a=1 false", "= false", "b=2 false", "a= true"}; !slices.Equal(saw, want) {
		t.Errorf("%q, want %q", saw, want)
	}
	cancel()
	for range changes {
	}
}

// What was written is there after the process that held the folder is gone, and
// while another holds it by the socket.
func TestFolderIsHandedOn(t *testing.T) {
	ctx, dir := t.Context(), folder(t)
	first := open(t, dir)
	if _, err := bucket(t, first, "servers").Put(ctx, "a", []byte("1")); err != nil {
		t.Fatal(err)
	}
	second := open(t, dir)
	if !first.Holder() || second.Holder() {
		t.Fatalf("holders: %v, %v", first.Holder(), second.Holder())
	}
	k := bucket(t, second, "servers")
	watched, cancel := context.WithCancel(ctx)
	defer cancel()
	changes, err := k.Watch(watched, "")
	if err != nil {
		t.Fatal(err)
	}
	<-changes
	<-changes
	memory, err := second.Queue(ctx, QueueOptions{Name: "refresh", Memory: true})
	if err != nil {
		t.Fatal(err)
	}
	first.Close()
	if _, err := k.Put(ctx, "b", []byte("2")); err != nil {
		t.Fatalf("written while the holder went: %v", err)
	}
	if !second.Holder() {
		t.Error("nobody took the folder over")
	}
	for e := range changes {
		if e.Key == "b" {
			break
		}
	}
	if l, err := k.List(ctx, ""); err != nil || len(l) != 2 {
		t.Errorf("%v, %v", l, err)
	}
	if err := memory.Publish(ctx, "probe.a", "", nil); err != nil {
		t.Errorf("the queue in memory did not come again: %v", err)
	}
	for _, name := range []string{"", "lock", "pool.sock"} {
		if info, err := os.Stat(filepath.Join(dir, name)); err != nil || info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s: %v, %v", name, info, err)
		}
	}
}

func TestFolderOfOthersIsRefused(t *testing.T) {
	dir := folder(t)
	if err := os.MkdirAll(dir, 0o755); err != nil { //nolint:gosec // it is open on purpose
		t.Fatal(err)
	}
	if b, err := Open(t.Context(), Options{Dir: dir}); err == nil {
		b.Close()
		t.Error("a folder that is open to others was used")
	}
	for uid, want := range map[uint32]bool{0: true, 1000: true, 1001: false} {
		if got := allowPeer(uid, 1000) == nil; got != want {
			t.Errorf("the peer %d: %v", uid, got)
		}
	}
}

func TestQueue(t *testing.T) {
	ctx, b := t.Context(), open(t, folder(t))
	q, err := b.Queue(ctx, QueueOptions{Name: "work", Silence: time.Second})
	if err != nil {
		t.Fatal(err)
	}
	var tasks []Task
	for n := range 50 {
		tasks = append(tasks, Task{Topic: fmt.Sprintf("w1.s%d", n), Data: []byte{byte(n)}})
	}
	id := func(topic string) string { return topic }
	for range 2 { // the second time changes nothing
		if err := q.PublishAll(ctx, tasks, id); err != nil {
			t.Fatal(err)
		}
	}
	if err := q.Publish(ctx, "w2.s0", "w2.s0", nil); err != nil {
		t.Fatal(err)
	}
	if err := q.Drop(ctx, "w2.>"); err != nil {
		t.Fatal(err)
	}
	if n, err := q.Waiting(ctx); n != 50 || err != nil {
		t.Errorf("%d wait, %v", n, err)
	}
	var mu sync.Mutex
	seen := map[string]int{}
	running, most := 0, 0
	work, stop := context.WithCancel(ctx)
	q.Consume(work, 4, func(ctx context.Context, t Task) Outcome {
		mu.Lock()
		seen[t.Topic]++
		n := seen[t.Topic]
		running++
		most = max(most, running)
		mu.Unlock()
		if t.Topic == "w1.s7" && n == 1 {
			time.Sleep(1500 * time.Millisecond) // longer than the silence: the heartbeat holds it
		}
		mu.Lock()
		defer mu.Unlock()
		running--
		if t.Topic == "w1.s3" && n == 1 {
			return Again
		}
		if len(seen) == 50 && seen["w1.s3"] == 2 && running == 0 {
			stop()
		}
		return Done
	})
	for topic, n := range seen {
		if want := map[bool]int{true: 2, false: 1}[topic == "w1.s3"]; n != want {
			t.Errorf("%s was handled %d times", topic, n)
		}
	}
	if most > 4 {
		t.Errorf("%d at a time", most)
	}
	if n, err := q.Waiting(ctx); n != 0 || err != nil {
		t.Errorf("%d are left, %v", n, err)
	}
}

func TestSingle(t *testing.T) {
	ctx, b := t.Context(), open(t, folder(t))
	q, err := b.Queue(ctx, QueueOptions{Name: "refresh", Memory: true, Single: true})
	if err != nil {
		t.Fatal(err)
	}
	if err := q.Publish(ctx, "probe.a", "a1", nil); err != nil {
		t.Fatal(err)
	}
	if err := q.Publish(ctx, "probe.a", "a2", nil); !errors.Is(err, ErrFull) {
		t.Errorf("a second one: %v", err)
	}
	if err := q.Publish(ctx, "probe.a", "a1", nil); err != nil {
		t.Errorf("the first one again: %v", err)
	}
	if err := q.PublishAll(ctx, []Task{{Topic: "probe.a"}, {Topic: "probe.b"}}, func(topic string) string { return topic }); err != nil {
		t.Error(err)
	}
	if n, err := q.Waiting(ctx); n != 2 || err != nil {
		t.Errorf("%d wait, %v", n, err)
	}
}

func TestToken(t *testing.T) {
	for text, token := range map[string]string{"": "=", "srv-1": "srv-1", "a.b": "a=2Eb", "fe80::1": "fe80=3A=3A1", "ä>*": "=C3=A4=3E=2A", "=": "=3D"} {
		if got := Token(text); got != token {
			t.Errorf("%q is %q", text, got)
		}
		if got, ok := Text(token); !ok || got != text {
			t.Errorf("%q was %q, %v", token, got, ok)
		}
	}
	for _, bad := range []string{"=2", "=zz", "A", "a.b", "=61"} {
		if got, ok := Text(bad); ok {
			t.Errorf("%q was taken for %q", bad, got)
		}
	}
}

func FuzzToken(f *testing.F) {
	f.Add("srv.example.com")
	f.Fuzz(func(t *testing.T, s string) {
		if got, ok := Text(Token(s)); !ok || got != s {
			t.Errorf("%q became %q, %v", s, got, ok)
		}
		if text, ok := Text(s); ok && Token(text) != s {
			t.Errorf("%q was read as %q", s, text)
		}
	})
}

func BenchmarkPut(b *testing.B) {
	k := bucket(b, open(b, folder(b)), "state")
	value := make([]byte, 1024)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := k.Put(b.Context(), "a", value); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkGet(b *testing.B) {
	k := bucket(b, open(b, folder(b)), "state")
	if _, err := k.Put(b.Context(), "a", make([]byte, 1024)); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := k.Get(b.Context(), "a"); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkPublish writes the tasks of a work on 1,000 servers, synced.
func BenchmarkPublish(b *testing.B) {
	q, err := open(b, folder(b)).Queue(b.Context(), QueueOptions{Name: "work"})
	if err != nil {
		b.Fatal(err)
	}
	tasks := make([]Task, 1000)
	for n := range tasks {
		tasks[n].Topic = fmt.Sprintf("w.s%d", n)
	}
	b.ReportAllocs()
	for b.Loop() {
		if err := q.PublishAll(b.Context(), tasks, func(string) string { return "" }); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkOpen(b *testing.B) {
	dir := folder(b)
	b.ReportAllocs()
	for b.Loop() {
		open(b, dir).Close()
	}
}
