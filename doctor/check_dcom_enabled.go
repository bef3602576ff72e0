package doctor

import (
	"context"
	"strings"
)

// EnableDCOM of the host is not N, which is asked over WinRM where DCOM fails: over
// DCOM it looks like a shut port or a refusal.
func init() {
	register(check{id: "dcom.enabled", layer: LayerDCOM, title: "DCOM is switched on", transport: "dcom",
		after: []string{"tcp.135", "epm", "dcom.activate", "dcom.call", "wmi.namespace", "winrm.authorize", "winrm.quota"}, run: dcomEnabled})
}

const oleKey = `SOFTWARE\Microsoft\Ole`

func dcomEnabled(ctx context.Context, x *examination) found {
	if x.dcom.login != nil {
		return found{detail: "an activation was granted"}
	}
	v, err := x.registry(ctx, oleKey, "EnableDCOM")
	if err != nil {
		return found{outcome: Info, detail: "EnableDCOM cannot be read: " + err.Error()}
	}
	if x.dcom.off = v.set && !strings.EqualFold(v.text, "Y"); x.dcom.off {
		return found{outcome: Fail, detail: "EnableDCOM is " + v.String()}
	}
	return found{detail: "EnableDCOM is " + v.String()}
}
