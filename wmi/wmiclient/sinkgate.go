package wmiclient

import (
	"log/slog"
	"net"
	"net/netip"

	"github.com/casementhq/casement/firewall"
	"github.com/casementhq/casement/internal/statefolder"
)

// ownFirewall are the rules of the user who runs this program.
func ownFirewall(log *slog.Logger) *firewall.Gate {
	dir, err := statefolder.Default()
	snapshot := firewall.FolderSnapshot(dir)
	if err != nil {
		snapshot = func() (firewall.Snapshot, error) { return nil, err }
	}
	return firewall.NewGate(firewall.GateOptions{Snapshot: snapshot, Log: log})
}

// part is what stands at a port: what resolves references is the machine's endpoint mapper, as on Windows, and the sinks are the program's.
func (k *Sinks) part(local net.Addr) firewall.Part {
	at, _ := netip.ParseAddrPort(local.String()) // 0 for what is no port
	k.mu.Lock()
	defer k.mu.Unlock()
	if p := k.ports.Resolver; p != 0 && at.Port() == p {
		return firewall.EndpointMapper()
	}
	return firewall.Part{Program: k.o.Program, Port: firewall.PortRPC}
}
