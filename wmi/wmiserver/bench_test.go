package wmiserver

import (
	"testing"

	"github.com/casementhq/casement/cim/cimtest"
	"github.com/casementhq/casement/providers/static"
	"github.com/casementhq/casement/wmi"
	"github.com/casementhq/casement/wmi/internal/iwbem"
)

// BenchmarkQuery runs a query for 1000 processes and reads all of them: the service's part of it, from the octets of the requests to those
// of the answers.
func BenchmarkQuery(b *testing.B) {
	const n = 1000
	class := cimtest.ProcessClass(cimtest.Namespace)
	processes := static.New(class)
	if err := processes.Add(cimtest.Processes(class, n)...); err != nil {
		b.Fatal(err)
	}
	p := newPeer(b, Options{Opener: manager(b, processes)})
	s := p.login(cimtest.Namespace)
	for name, flags := range map[string]uint32{"forward only": 0x30, "replayable": 0x10} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			octets := 0
			for b.Loop() {
				e := p.query(s, "SELECT * FROM "+class.Name, flags)
				var fetched iwbem.GetSmartEnumResponse
				p.call(e, wmi.IIDFetchSmartEnum, iwbem.OpGetSmartEnum, &iwbem.GetSmartEnumRequest{}, &fetched)
				got := 0
				for {
					var out iwbem.SmartNextResponse
					p.call(fetched.Ref, wmi.IIDWCOSmartEnum, iwbem.OpSmartNext, &iwbem.SmartNextRequest{Timeout: iwbem.Forever, Count: 100}, &out)
					got += int(out.Returned)
					octets += len(out.Buffer)
					if out.Result != 0 {
						break
					}
				}
				if got != n {
					b.Fatalf("%d objects", got)
				}
				p.release(fetched.Ref)
				p.release(e)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/n, "ns/object")
			b.ReportMetric(float64(octets)/float64(b.N)/n, "octets/object")
		})
	}
}
