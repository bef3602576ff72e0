package host

import (
	"context"
	"strings"
	"testing"

	"github.com/casementhq/casement/cim"
)

// The numbers are those of the pages of the counter types in the product documentation.
var documentedTypes = map[string]string{
	"PERF_COUNTER_RAWCOUNT": "65536", "PERF_COUNTER_LARGE_RAWCOUNT": "65792", "PERF_COUNTER_COUNTER": "272696320", "PERF_COUNTER_BULK_COUNT": "272696576",
	"PERF_100NSEC_TIMER": "542180608", "PERF_100NSEC_TIMER_INV": "558957824", "PERF_RAW_FRACTION": "537003008", "PERF_PRECISION_100NS_TIMER": "542573824",
	"PERF_COUNTER_100NS_QUEUELEN_TYPE": "5571840", "PERF_AVERAGE_TIMER": "805438464", "PERF_AVERAGE_BULK": "1073874176", "PERF_ELAPSED_TIME": "807666944",
}

// documentedBases are the types of the bases: PERF_AVERAGE_BASE, PERF_RAW_BASE and PERF_LARGE_RAW_BASE.
var documentedBases = map[string]string{
	"PERF_AVERAGE_TIMER": "1073939458", "PERF_AVERAGE_BULK": "1073939458", "PERF_RAW_FRACTION": "1073939459", "PERF_PRECISION_100NS_TIMER": "1073939712",
}

func qualifier(p *cim.Property, name string) string {
	v, ok := p.Qualifiers.Get(name)
	if !ok {
		return ""
	}
	return string(v.AppendText(nil))
}

// Every formatted class can be made of its raw class as its qualifiers say, and has all of it but the bases.
func TestRecipesOfFormattedClasses(t *testing.T) {
	pairs := 0
	for _, c := range New(Options{}).Classes() {
		rawName := c.Qualifiers.Text("AutoCook_RawClass")
		if rawName == "" {
			continue
		}
		pairs++
		raw := classNamed(rawName)
		if strings.Replace(c.Name, "Formatted", "Raw", 1) != raw.Name || !c.Qualifiers.True("Cooked") || raw.Qualifiers.True("Cooked") || c.IsSingleton() != raw.IsSingleton() {
			t.Errorf("%s is made of %s", c.Name, raw.Name)
		}
		for _, q := range []string{"HiPerf", "GenericPerfCtr", "Dynamic"} {
			if !c.Qualifiers.True(q) || !raw.Qualifiers.True(q) {
				t.Errorf("%s or its raw class lacks %s", c.Name, q)
			}
		}
		used := map[string]bool{}
		for i := range c.Properties {
			p := &c.Properties[i]
			kind := qualifier(p, "CookingType")
			if kind == "" {
				continue
			}
			counter := raw.Property(qualifier(p, "Counter"))
			if counter == nil || counter.Name != p.Name || counter.Type != p.Type {
				t.Fatalf("%s.%s has the counter %v", c.Name, p.Name, counter)
			}
			used[counter.Name] = true
			if n := qualifier(p, "CounterType"); n != documentedTypes[kind] || n != qualifier(counter, "CounterType") {
				t.Errorf("%s.%s: %s has the number %s, documented is %s", c.Name, p.Name, kind, n, documentedTypes[kind])
			}
			if qualifier(p, "DisplayName") == "" || qualifier(p, "PerfDetail") != "100" || qualifier(counter, "DefaultScale") == "" {
				t.Errorf("%s.%s lacks a qualifier", c.Name, p.Name)
			}
			base := ""
			if b := raw.Property(qualifier(p, "Base")); b != nil {
				used[b.Name] = true
				base = qualifier(b, "CounterType")
			}
			if base != documentedBases[kind] {
				t.Errorf("%s.%s: the base of %s has the type %q", c.Name, p.Name, kind, base)
			}
			for _, q := range []string{"PerfTimeStamp", "PerfTimeFreq"} {
				if name := qualifier(p, q); name != "" && raw.Property(name) == nil {
					t.Errorf("%s.%s: %s names %s", c.Name, p.Name, q, name)
				}
			}
			if formulas[kind].cook == nil {
				t.Errorf("%s.%s: there is no formula %s", c.Name, p.Name, kind)
			}
		}
		for i := range raw.Properties {
			if p := &raw.Properties[i]; qualifier(p, "CounterType") != "" && !used[p.Name] {
				t.Errorf("%s does not use %s", c.Name, p.Name)
			}
		}
	}
	if pairs != 8 {
		t.Errorf("%d formatted classes, want 8", pairs)
	}
}

// Queries reach the classes of all namespaces through the object manager.
func TestPerformanceThroughTheObjectManager(t *testing.T) {
	ctx := context.Background()
	s := session(t, New(Options{}))
	for _, c := range []struct {
		wql  string
		most int
	}{
		{"SELECT Name, PercentProcessorTime FROM Win32_PerfFormattedData_PerfOS_Processor WHERE Name = '_Total'", 1},
		{"SELECT * FROM Win32_PerfRawData_PerfProc_Process WHERE IDProcess = 1", 1},
		{"SELECT AvailableMBytes FROM Win32_PerfFormattedData_PerfOS_Memory", 1},
	} {
		out := ask(t, s, c.wql)
		if len(out) != c.most {
			t.Fatalf("%s: %d instances", c.wql, len(out))
		}
		if out[0].At(out[0].Len() - 1).IsNull() {
			t.Errorf("%s: %v", c.wql, out[0])
		}
	}
	total, err := s.Get(ctx, cim.ObjectPath{Class: "Win32_PerfRawData_PerfOS_Processor", Keys: []cim.Key{{Name: "Name", Value: cim.Str("_Total")}}}, cim.GetOptions{})
	if err != nil || mustUint(total, "PercentIdleTime") == 0 {
		t.Errorf("the total of the processors: %v, %v", total, err)
	}
	memory, err := s.Get(ctx, cim.ObjectPath{Class: "Win32_PerfFormattedData_PerfOS_Memory", Singleton: true}, cim.GetOptions{Properties: []string{"AvailableBytes"}})
	if err != nil || mustUint(memory, "AvailableBytes") == 0 {
		t.Errorf("the memory: %v, %v", memory, err)
	}
}

// The raw class is to cost what Win32_Process costs.
func BenchmarkQueryPerfProcesses(b *testing.B) {
	ctx := context.Background()
	s := session(b, New(Options{}))
	for _, q := range []string{
		"SELECT * FROM Win32_Process", "SELECT * FROM Win32_PerfRawData_PerfProc_Process",
		"SELECT Name, IDProcess, WorkingSet FROM Win32_PerfFormattedData_PerfProc_Process",
	} {
		b.Run(strings.ReplaceAll(q, " ", "_"), func(b *testing.B) {
			b.ReportAllocs()
			n := 0
			for b.Loop() {
				e, err := s.Query(ctx, q, cim.QueryOptions{})
				if err != nil {
					b.Fatal(err)
				}
				n = 0
				if err := cim.Each(ctx, e, func(*cim.Instance) error { n++; return nil }); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(n), "instances")
		})
	}
}

// BenchmarkCookProcesses is a measurement without its second of waiting.
func BenchmarkCookProcesses(b *testing.B) {
	p := New(Options{})
	formattedClass, raw := formatted("PerfProc_Process", "Name", "IDProcess", "ElapsedTime"), classNamed("Win32_PerfRawData_PerfProc_Process")
	recipes, _ := formattedClass.recipes(classNamed(formattedClass.name), raw, query{})
	wanted := formattedClass.ingredients(raw, recipes)
	b.ReportAllocs()
	for b.Loop() {
		before, err := p.sample(context.Background(), raw, wanted, formattedClass.same)
		if err != nil {
			b.Fatal(err)
		}
		for n, now := range before.rows {
			past := before.row(before.keys[n])
			for i := range recipes {
				recipes[i].cook(past, now, cim.Uint64)
			}
		}
	}
}
