package doctor

import (
	"context"
	"strings"

	"github.com/casementhq/casement/dcerpc"
	"github.com/casementhq/casement/dcom"
)

// The port that the activation told answers.
func init() {
	register(check{id: "tcp.dynamic", layer: LayerPort, title: "The port of WMI answers", transport: "dcom", needs: []string{"dcom.bindings"}, run: tcpDynamic})
}

// mostPorts bounds the ports that are tried.
const mostPorts = 4

func tcpDynamic(ctx context.Context, x *examination) found {
	ports := x.dcom.ports[:min(len(x.dcom.ports), mostPorts)]
	all := make([]portAnswer, len(ports))
	done := make(chan struct{})
	for n, port := range ports {
		go func() {
			all[n] = x.askPort(ctx, port, dcerpc.SyntaxID{UUID: dcom.IIDRemUnknown2})
			done <- struct{}{}
		}()
	}
	for range ports {
		<-done
	}
	x.dcom.dynamic = all
	f := found{}
	for _, k := range all {
		if k.state == portOpen {
			return found{detail: k.text()}
		}
		f.seen = append(f.seen, k.text())
	}
	x.dcom.shut.Store(true)
	f = all[0].shut()
	f.detail += "; " + x.dcom.mapper.text()
	for _, k := range all[1:] {
		f.detail += "; " + k.text()
	}
	f.detail = strings.TrimSpace(f.detail)
	return f
}
