package cimom_test

import (
	"errors"
	"io"
	"testing"

	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/cim/cimtest"
	"github.com/casementhq/casement/cimom"
	"github.com/casementhq/casement/providers/static"
)

const benchInstances = 5000

// BenchmarkEnumerate reads 5,000 instances of 45 properties in batches of 20.
func BenchmarkEnumerate(b *testing.B) {
	m := cimom.New(cimom.Options{})
	defer m.Close()
	class := cimtest.ProcessClass(`root\cimv2`)
	if len(class.Properties) != 45 {
		b.Fatalf("the class has %d properties", len(class.Properties))
	}
	p := static.New(class)
	if err := errors.Join(p.Add(cimtest.Processes(class, benchInstances)...), m.Register(p)); err != nil {
		b.Fatal(err)
	}
	s := open(b, m, `root\cimv2`)
	for _, bm := range []struct{ name, query string }{
		{"all", ""},
		{"query", `SELECT * FROM CT_Process WHERE ThreadCount > 0 AND Name LIKE '/usr/%'`},
		{"projection", `SELECT Handle, Name, WorkingSetSize FROM CT_Process`},
		{"key", `SELECT * FROM CT_Process WHERE Handle='400'`},
	} {
		b.Run(bm.name, func(b *testing.B) {
			b.ReportAllocs()
			total := 0
			for b.Loop() {
				e, err := s.Enumerate(b.Context(), class.Name, cim.EnumerateOptions{})
				if bm.query != "" {
					e, err = s.Query(b.Context(), bm.query, cim.QueryOptions{})
				}
				if err != nil {
					b.Fatal(err)
				}
				for err == nil {
					var batch []*cim.Instance
					batch, err = e.Next(b.Context(), 20)
					total += len(batch)
				}
				if !errors.Is(err, io.EOF) {
					b.Fatal(err)
				}
				e.Close()
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(total), "ns/instance")
		})
	}
}
