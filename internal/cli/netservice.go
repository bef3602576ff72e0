package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/internal/wmitool"
)

// wmiServiceTitle is the display name of winmgmt.
const wmiServiceTitle = "Windows Management Instrumentation"

// netService starts or stops WMI over DCOM in the service that runs.
func netService(ctx context.Context, s Streams, state, verb string, args []string) error {
	if len(args) != 1 {
		return netUsage("%s wants one service: winmgmt", verb)
	}
	if !strings.EqualFold(args[0], "winmgmt") && !strings.EqualFold(args[0], wmiServiceTitle) {
		return fmt.Errorf("system error 1060: %q is not a service of this command, only winmgmt is; systemctl has those of the system", args[0])
	}
	c, err := newWMIConnector(s, state)
	if err != nil {
		return err
	}
	err = switchWMI(ctx, c, verb)
	if err == nil {
		_, err = fmt.Fprintf(s.Out, "%s: %s\n", wmiServiceTitle, map[string]string{"start": "started", "stop": "stopped"}[verb])
	}
	return errors.Join(err, c.close())
}

func switchWMI(ctx context.Context, c *wmiConnector, verb string) error {
	session, err := c.Session(ctx, wmitool.Target{}, "root")
	if err != nil {
		return err
	}
	defer session.Close() //nolint:errcheck // the result tells
	path := cim.ObjectPath{Class: "Casement_WMIService", Singleton: true}
	done, err := session.Invoke(ctx, path, verb+"Service", nil, cim.OperationOptions{})
	if err != nil {
		return err
	}
	// The values are those of Win32_Service.
	switch code, _ := done.ReturnValue.Uint(); code {
	case 0:
		return nil
	case 2:
		return errors.New("system error 5: access is denied; it takes root, or the owner of the state folder")
	case 6:
		return fmt.Errorf("system error 3521: %s is not started", wmiServiceTitle)
	case 10:
		return fmt.Errorf("system error 2182: %s is started already", wmiServiceTitle)
	default:
		return fmt.Errorf("the service refused it with %d", code)
	}
}
