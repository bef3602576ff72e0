package doctor

import (
	"context"
	"encoding/xml"
	"errors"

	"github.com/casementhq/casement/wsman"
)

// winrmConfig is what the checks read of winrm/config. See [MS-WSMV] 2.2.4.10.
type winrmConfig struct {
	Service struct {
		AllowUnencrypted               bool
		MaxConcurrentOperationsPerUser uint32
		Auth                           struct {
			Basic, Kerberos, Negotiate bool
			CbtHardeningLevel          string
		}
	}
	Winrs struct {
		AllowRemoteShellAccess bool
		MaxShellsPerUser       uint32
		MaxConcurrentUsers     uint32
	}
}

// readConfig reads the host's configuration once; only its administrators may.
func (x *examination) readConfig(ctx context.Context) (*winrmConfig, error) {
	w := &x.winrm
	w.configOnce.Do(func() {
		if w.signed == nil || w.signed.client == nil {
			w.configErr = errors.New("nobody is signed in")
			return
		}
		doc, err := w.signed.client.Get(ctx, wsman.EPR{ResourceURI: wsman.ResourceConfig}, nil)
		if err != nil {
			w.configErr = err
			return
		}
		c := &winrmConfig{}
		if w.configErr = xml.Unmarshal(doc, c); w.configErr == nil {
			w.config = c
		}
	})
	return w.config, w.configErr
}
