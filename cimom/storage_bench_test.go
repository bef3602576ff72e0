package cimom_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/cimom"
	"github.com/casementhq/casement/cimom/repository"
)

// filled is a session over a repository file with n instances of Rec: a key, a
// number, an indexed group of a thousand, a text.
func filled(b *testing.B, n int) cim.Session {
	b.Helper()
	repo, err := repository.Open(filepath.Join(b.TempDir(), "repository"), repository.Options{NoSync: true})
	if err != nil {
		b.Fatal(err)
	}
	m := cimom.New(cimom.Options{Repository: repo})
	b.Cleanup(func() { m.Close(); repo.Close() })
	s := open(b, m, `root\cimv2`)
	put(b, s, cim.Class{Name: "Rec", Properties: []cim.Property{
		{Name: "Id", Type: cim.Uint32, Qualifiers: cim.Qualifiers{key()}}, {Name: "Number", Type: cim.Uint32},
		{Name: "Group", Type: cim.String, Qualifiers: cim.Qualifiers{{Name: "Indexed", Value: cim.Bool(true)}}}, {Name: "Text", Type: cim.String},
	}}, cim.PutClassOptions{})
	class, err := s.GetClass(b.Context(), "Rec", cim.GetOptions{})
	if err != nil {
		b.Fatal(err)
	}
	for from := 0; from < n; from += 10_000 {
		err := repo.Update(context.Background(), func(tx *repository.Tx) error {
			for id := from; id < min(n, from+10_000); id++ {
				i := cim.MakeInstance(class, []cim.Value{
					cim.U32(uint32(id)), cim.U32(uint32(id % 97)), cim.Str(fmt.Sprintf("group%d", id/1000)), cim.Str("the quick brown fox"),
				})
				if err := tx.Create(i); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			b.Fatal(err)
		}
	}
	return s
}

// ask runs a query to its end and says how many instances it gave.
func ask(b *testing.B, s cim.Session, text string) (n int) {
	b.Helper()
	e, err := s.Query(b.Context(), text, cim.QueryOptions{})
	for err == nil {
		var batch []*cim.Instance
		batch, err = e.Next(b.Context(), 100)
		n += len(batch)
	}
	if !errors.Is(err, io.EOF) {
		b.Fatal(err)
	}
	e.Close()
	return n
}

// BenchmarkStoredFilter rejects every one of 100,000 stored instances: the
// allocations of one run are those of the query.
func BenchmarkStoredFilter(b *testing.B) {
	const n = 100_000
	s := filled(b, n)
	b.ReportAllocs()
	for b.Loop() {
		if got := ask(b, s, "SELECT * FROM Rec WHERE Number > 96 AND Text LIKE '%fox'"); got != 0 {
			b.Fatal(got)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/n, "ns/instance")
}

// TestRejectedInstancesCostNothing: what a query rejects in the repository is
// not copied.
func TestRejectedInstancesCostNothing(t *testing.T) {
	m := cimom.New(cimom.Options{})
	defer m.Close()
	s := open(t, m, `root\cimv2`)
	var lines []string
	allocations := func(n int) float64 {
		for len(lines) < n {
			lines = append(lines, fmt.Sprintf(`instance of Rec { Id = %d; Text = "the quick brown fox"; };`, len(lines)))
		}
		r := compile(t, open(t, m, "root"), "class Rec { [Key] uint32 Id; string Text; };"+strings.Join(lines, "\n"), text("Namespace", `root\cimv2`))
		if returned(r) != 0 {
			t.Fatal(r)
		}
		return testing.AllocsPerRun(5, func() {
			if got := query(t, s, "SELECT * FROM Rec WHERE Text LIKE '%wolf' OR Id > 100000"); len(got) != 0 {
				t.Fatal(got)
			}
		})
	}
	few, many := allocations(1_000), allocations(5_000)
	if each := (many - few) / 4_000; each > 0.05 { // a scan in batches has its own
		t.Errorf("%.3f allocations for a rejected instance (%g for 1,000, %g for 5,000)", each, few, many)
	}
}

// BenchmarkStoredScan shows what one rejected instance costs among more and
// more of them.
func BenchmarkStoredScan(b *testing.B) {
	for _, n := range sizes() {
		s := filled(b, n)
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			for b.Loop() {
				if got := ask(b, s, "SELECT * FROM Rec WHERE Number > 96"); got != 0 {
					b.Fatal(got)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n), "ns/instance")
		})
	}
}

// sizes are those of a cost curve. A million takes a minute to make:
// CASEMENT_BENCH_LARGE asks for it.
func sizes() []int {
	list := []int{1_000, 10_000, 100_000}
	if os.Getenv("CASEMENT_BENCH_LARGE") != "" {
		list = append(list, 1_000_000)
	}
	return list
}

// BenchmarkStoredAssociators finds the only association of an object among
// 100,000 stored ones.
func BenchmarkStoredAssociators(b *testing.B) {
	const n = 100_000
	m := cimom.New(cimom.Options{})
	defer m.Close()
	s := open(b, m, `root\cimv2`)
	put(b, s, keyed("Thing", ""), cim.PutClassOptions{})
	put(b, s, cim.Class{Name: "Link", Qualifiers: cim.Qualifiers{{Name: "Association", Value: cim.Bool(true)}}, Properties: []cim.Property{
		{Name: "Left", Type: cim.Reference, RefClass: "Thing", Qualifiers: cim.Qualifiers{key()}},
		{Name: "Right", Type: cim.Reference, RefClass: "Thing", Qualifiers: cim.Qualifiers{key()}},
	}}, cim.PutClassOptions{})
	for _, id := range []string{"left", "right"} {
		create(b, s, "Thing", map[string]cim.Value{"Id": cim.Str(id)})
	}
	links := make([]string, 0, n)
	for i := range n {
		links = append(links, fmt.Sprintf(`instance of Link { Left = "Thing.Id=\"l%d\""; Right = "Thing.Id=\"r%d\""; };`, i, i))
	}
	links = append(links, `instance of Link { Left = "Thing.Id=\"left\""; Right = "Thing.Id=\"right\""; };`)
	if r := compile(b, open(b, m, "root"), strings.Join(links, "\n"), text("Namespace", `root\cimv2`)); returned(r) != 0 {
		b.Fatal(r)
	}
	b.ReportAllocs()
	for b.Loop() {
		if got := ask(b, s, `ASSOCIATORS OF {Thing.Id="left"}`); got != 1 {
			b.Fatal(got)
		}
	}
}

// BenchmarkStoredLookup shows what one instance costs by its key, and a
// thousand by an index, among more and more of them.
func BenchmarkStoredLookup(b *testing.B) {
	for _, n := range sizes() {
		s := filled(b, n)
		path := cim.ObjectPath{Class: "Rec", Keys: []cim.Key{{Name: "Id", Value: cim.U32(uint32(n / 2))}}}
		b.Run(fmt.Sprintf("get/%d", n), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := s.Get(b.Context(), path, cim.GetOptions{}); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(fmt.Sprintf("key/%d", n), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if got := ask(b, s, fmt.Sprintf("SELECT * FROM Rec WHERE Id=%d", n/2)); got != 1 {
					b.Fatal(got)
				}
			}
		})
		b.Run(fmt.Sprintf("index/%d", n), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if got := ask(b, s, "SELECT * FROM Rec WHERE Group='group0'"); got != 1000 {
					b.Fatal(got)
				}
			}
		})
	}
}
