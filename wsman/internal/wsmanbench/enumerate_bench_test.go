//go:build unix

package wsmanbench

import (
	"context"
	"encoding/xml"
	"errors"
	"io"
	"reflect"
	"testing"
	"time"

	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/cim/cimtest"
	"github.com/casementhq/casement/wsman/wscim"
)

// BenchmarkEnumerate reads instances of 45 properties through the whole service,
// 200 for each Pull, in the processor time of the server. The goal is 0.8 of
// what encoding/xml takes to marshal the same instances.
func BenchmarkEnumerate(b *testing.B) {
	for _, v := range []struct {
		name, provider, query string
		sealed                bool
		batch                 int
	}{
		{"static-plain", "static", "SELECT * FROM CT_Process", false, 200},
		{"static-sealed", "static", "SELECT * FROM CT_Process", true, 200},
		{"static-plain-batch20", "static", "SELECT * FROM CT_Process", false, 20},
		{"host-plain", "host", "SELECT * FROM Win32_Process", false, 200},
		{"host-sealed", "host", "SELECT * FROM Win32_Process", true, 200},
	} {
		b.Run(v.name, func(b *testing.B) {
			c := start(b, role+"=service", "CASEMENT_BENCH_PROVIDER="+v.provider)
			client, err := newClient(c.server, v.sealed)
			check(b, err)
			defer client.Close()
			session := client.Session(`root\cimv2`)
			defer session.Close()
			times := 4
			if v.provider == "host" {
				times = 40 // a host has few processes
			}
			if quick() {
				times = 1
			}
			read := func() (n int) {
				e, err := session.Query(b.Context(), v.query, cim.QueryOptions{Batch: v.batch})
				check(b, err)
				defer e.Close()
				for {
					list, err := e.Next(b.Context(), 0)
					n += len(list)
					if errors.Is(err, io.EOF) {
						return n
					}
					check(b, err)
				}
			}
			if n := read(); v.provider == "static" && n != instances {
				b.Fatalf("%d instances", n)
			}
			var cpu, wall, peer time.Duration
			var mallocs uint64
			total := 0
			for b.Loop() {
				before, began := c.usage(), time.Now()
				for range times {
					total += read()
				}
				after := c.usage()
				wall += time.Since(began)
				cpu += after.CPU - before.CPU
				mallocs += after.Mallocs - before.Mallocs
				peer += marshalTime(b)
			}
			rounds := time.Duration(b.N)
			b.ReportMetric(float64(cpu.Nanoseconds())/float64(total)/1e3, "cpu-µs/instance")
			b.ReportMetric(float64((peer/rounds).Nanoseconds())/1e3, "marshal-µs/instance")
			b.ReportMetric(float64(cpu)/float64(total)/float64(peer/rounds), "x-marshal")
			b.ReportMetric(float64(mallocs)/float64(total), "server-allocs/instance")
			b.ReportMetric(float64(total)/wall.Seconds(), "instances/s")
			b.ReportMetric(0, "ns/op")
		})
	}
}

// marshalTime is the processor time that encoding/xml takes for one instance of
// the same class, written from a struct.
func marshalTime(tb testing.TB) time.Duration {
	tb.Helper()
	all := cimtest.Processes(cimtest.ProcessClass(`root\cimv2`), 500)
	items := make([]any, len(all))
	for n, i := range all {
		items[n] = structOf(i)
	}
	rounds := 8
	if quick() {
		rounds = 1
	}
	began := cpuTime()
	for range rounds {
		for _, i := range items {
			if _, err := xml.Marshal(i); err != nil {
				tb.Fatal(err)
			}
		}
	}
	return (cpuTime() - began) / time.Duration(rounds*len(items))
}

// structOf is an instance as a user of encoding/xml would declare it.
func structOf(i *cim.Instance) any {
	class := i.Class()
	fields := []reflect.StructField{
		{Name: "XMLName", Type: reflect.TypeFor[xml.Name]()},
		{Name: "XSIType", Type: reflect.TypeFor[string](), Tag: `xml:"http://www.w3.org/2001/XMLSchema-instance type,attr"`},
	}
	for _, p := range class.Properties {
		t := reflect.TypeFor[*string]()
		switch p.Type {
		case cim.String:
			t = reflect.TypeFor[string]()
		case cim.Uint16:
			t = reflect.TypeFor[*uint16]()
		case cim.Uint32:
			t = reflect.TypeFor[uint32]()
		case cim.Uint64:
			t = reflect.TypeFor[uint64]()
		}
		fields = append(fields, reflect.StructField{Name: p.Name, Type: t})
	}
	v := reflect.New(reflect.StructOf(fields)).Elem()
	v.Field(0).Set(reflect.ValueOf(xml.Name{Space: wscim.ClassURI(class.Namespace, class.Name), Local: class.Name}))
	v.Field(1).SetString("p:" + class.Name + "_Type")
	for n := range class.Properties {
		f := v.Field(n + 2)
		value := i.At(n)
		switch {
		case value.IsNull():
		case f.Kind() == reflect.String:
			f.SetString(value.String())
		case f.Kind() == reflect.Pointer:
			text := value.String()
			f.Set(reflect.ValueOf(&text))
		default:
			u, _ := value.Uint()
			f.SetUint(u)
		}
	}
	return v.Addr().Interface()
}

// An enumeration that nobody goes on with costs its owner nothing: many of them
// hold no goroutine that runs, and the next one is as fast as the first.
func TestAbandonedEnumerationsCostNothing(t *testing.T) {
	c := start(t, role+"=service", "CASEMENT_BENCH_PROVIDER=static")
	client, err := newClient(c.server, false)
	check(t, err)
	defer client.Close()
	session := client.Session(`root\cimv2`)
	open := func(ctx context.Context) cim.Enumerator {
		e, err := session.Query(ctx, "SELECT * FROM CT_Process", cim.QueryOptions{Batch: 20})
		check(t, err)
		return e
	}
	whole := func() time.Duration {
		began := time.Now()
		e := open(t.Context())
		defer e.Close()
		n := 0
		for {
			list, err := e.Next(t.Context(), 0)
			n += len(list)
			if errors.Is(err, io.EOF) {
				break
			}
			check(t, err)
		}
		if n != instances {
			t.Fatalf("%d instances", n)
		}
		return time.Since(began)
	}
	whole()
	fresh := whole()
	// They count as operations under way until they time out, of which the WMI
	// plug-in has 15 for each user. See [MS-WSMV] 2.2.4.10.
	const abandoned = 10
	for range abandoned {
		// The first answer is read and the enumeration left open, without a Release.
		list, err := open(t.Context()).Next(t.Context(), 0)
		check(t, err)
		if len(list) == 0 || len(list) == instances {
			t.Fatalf("%d instances in the first answer", len(list))
		}
	}
	before := c.usage()
	time.Sleep(200 * time.Millisecond)
	rest := c.usage()
	if cpu := rest.CPU - before.CPU; cpu > 100*time.Millisecond {
		t.Errorf("%d abandoned enumerations use %v of processor time in 0.2 s", abandoned, cpu)
	}
	after := whole()
	t.Logf("a whole enumeration: %v before, %v beside %d abandoned ones", fresh, after, abandoned)
	if after > 5*fresh+time.Second {
		t.Errorf("a whole enumeration took %v before and %v beside %d abandoned ones", fresh, after, abandoned)
	}
}
