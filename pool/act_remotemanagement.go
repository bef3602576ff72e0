package pool

import (
	"context"
	"encoding/json"
	"time"
)

// RemoteManagementParameters are those of KindRemoteManagement.
type RemoteManagementParameters struct {
	On bool `json:"on"`
}

// Configure-SMRemoting turns what Server Manager needs on and off: it is a part of
// Windows Server, and a name that casement answers to. See spec/winrm.md 9.
var actRemoteManagement = act{
	limit: 2 * time.Minute,
	check: func(raw json.RawMessage) error { _, err := parse[RemoteManagementParameters](raw); return err },
	do: func(ctx context.Context, j *job) (Result, error) {
		p, err := parse[RemoteManagementParameters](j.parameters)
		if err != nil {
			return Result{}, err
		}
		c, err := j.proven(ctx)
		if err != nil {
			return Result{}, err
		}
		line := "Configure-SMRemoting.exe -disable"
		if p.On {
			line = "Configure-SMRemoting.exe -enable"
		}
		return command(ctx, j, c, line, "")
	},
}
